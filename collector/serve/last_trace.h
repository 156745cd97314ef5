/* The trace of a process's last moments, which lie in its ledger when it has ended. */
#ifndef COLLECTOR_SERVE_LAST_TRACE_H
#define COLLECTOR_SERVE_LAST_TRACE_H

#include "serve/collector_state.h"

/* Writes what a process with LIBPROF_TRACE=flight has left into the collector's directory,
 * EXE.PID.pftrace, for Perfetto. Nothing for others. The collector's thread. */
void last_trace_write(struct collector *collector, struct process *process);

#endif
