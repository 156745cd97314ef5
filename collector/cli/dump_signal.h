/*
 * A dump of a process that reports to no collector: it is asked for by the signal that its
 * ledger is named after (wire/handover.h), and what it writes to its LIBPROF_DIR is picked up
 * there. LIBPROF_SIGNAL isn't used: from outside nobody can tell whether the program has taken
 * it for itself. The process can't be told of a collector later: its environment is its own.
 */
#ifndef COLLECTOR_CLI_DUMP_SIGNAL_H
#define COLLECTOR_CLI_DUMP_SIGNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "profile/profile.h"

/*
 * The paths of the files of one new dump: malloc'ed, in a malloc'ed array of *n.
 * Waits for them, ten seconds at most. NULL with *err: no such process, not ours to
 * signal, without libprof or without its handler (the signal would kill it), or no dump came.
 */
char **dump_by_signal(pid_t pid, size_t *n, struct error *err);

#endif
