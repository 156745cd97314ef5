/*
 * net/http/pprof for every process: /p/PID/debug/pprof/..., and /debug/pprof/...
 * for the default one. Status codes, headers and texts are Go's (net/http/pprof),
 * so that its clients can't tell the difference.
 */
#ifndef COLLECTOR_SERVE_PPROF_H
#define COLLECTOR_SERVE_PPROF_H

#include "serve/http.h"

extern const struct route pprof_routes[];

/* /sd: every running process as a target of Prometheus' http_sd. */
extern const struct route discovery_routes[];

/* /ps and /dump/ID, for the commands. */
extern const struct route listing_routes[];

#endif
