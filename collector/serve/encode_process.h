/*
 * A process's ledger as a profile in pprof's format, by the encoder that the process itself
 * would use.
 *
 * Threads: any.
 */
#ifndef COLLECTOR_SERVE_ENCODE_PROCESS_H
#define COLLECTOR_SERVE_ENCODE_PROCESS_H

#include "base/error.h"
#include "serve/collector_state.h"
#include "wire/encode.h"

/* What its ledger holds now, addresses only, gzip'ed: malloc'ed, *size bytes. NULL with *err:
 * its memory is not held. */
unsigned char *encode_process(struct collector *collector, struct process *process,
                              enum dump_profile which, size_t *size, struct error *err);

#endif
