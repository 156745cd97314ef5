/*
 * Asking a live process for something only it can do: walk its threads' stacks,
 * or dump. The request is a word in the ledger's header and the dump signal; the
 * answer is another word, waited for as a futex.
 *
 * Threads: any.
 */
#ifndef COLLECTOR_SERVE_COMMAND_H
#define COLLECTOR_SERVE_COMMAND_H

#include "base/error.h"
#include "serve/collector_state.h"

/* Has the process walk its threads' stacks. False with *err: it doesn't answer (in
 * two seconds), has no dump signal, or may not be signalled. */
bool command_threads(struct process *process, struct error *err);

/* Has a process whose memory isn't held send a dump in full, and waits for it. */
bool command_dump(struct collector *collector, struct process *process, struct error *err);

#endif
