/*
 * Dumps in the collector's directory: files named and filled as a process's own
 * would be (EXE.PID.SEQ.PROFILE.pb.gz), written from its ledger, or taken from
 * its frames.
 *
 * Threads: any; one dump of a process at a time.
 */
#ifndef COLLECTOR_SERVE_ARCHIVE_H
#define COLLECTOR_SERVE_ARCHIVE_H

#include "base/error.h"
#include "serve/collector_state.h"
#include "wire/encode.h"

/* All but the threads' stacks, which are of a moment and no total. */
#define ARCHIVE_TOTALS (~(1u << DUMP_THREADS))

/* Writes all profiles with samples (those in `wanted`, a mask; ~0 for all) as one
 * dump and lists it. sequence: 0 for the next number. False with *err when a file
 * can't be written. No samples at all: true, and nothing is written. */
bool archive_write(struct collector *collector, struct process *process, uint32_t wanted,
                   uint32_t sequence, bool is_final, struct error *err);

/* The file of a dump, malloc'ed. */
char *archive_path(struct collector *collector, const struct process *process, uint32_t sequence,
                   const char *profile);

/* START0001.heap.pb.gz, malloc'ed; start: "DIR/EXE.PID." */
char *archive_name(const char *start, uint32_t sequence, unsigned profile);

/* Removes the files of all listed dumps. */
void archive_remove(struct collector *collector, struct process *process);

/* Lists a dump whose files came as frames; again for each file of it. */
void archive_list(struct collector *collector, struct process *process, uint32_t sequence,
                  uint32_t profiles, bool is_final);

/* A name a process gave to a file: EXE.PID.SEQ.PROFILE.pb.gz with nothing in it
 * that leads elsewhere. Fills in sequence and profile (enum dump_profile). */
bool archive_check_name(const char *name, uint32_t *sequence, unsigned *profile);

#endif
