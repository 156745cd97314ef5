/* /debug/pprof/trace: what happened in a process, for timeline viewers. */
#ifndef COLLECTOR_SERVE_PPROF_TRACE_H
#define COLLECTOR_SERVE_PPROF_TRACE_H

#include "serve/http.h"

/*
 * Answers with the next ?seconds=N (1), or with the past ?last=N seconds of a process whose trace
 * is kept (LIBPROF_TRACE=flight), also after its end. ?format=perfetto, chrome or json. Any HTTP
 * thread; holds it for the window.
 */
void pprof_trace(struct request *request, struct response *response, struct process *process);

#endif
