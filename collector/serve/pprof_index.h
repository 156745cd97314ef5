/* The index page of /debug/pprof/: Go's, with its descriptions of the profiles. */
#ifndef COLLECTOR_SERVE_PPROF_INDEX_H
#define COLLECTOR_SERVE_PPROF_INDEX_H

#include "serve/http.h"

void pprof_index(struct request *request, struct response *response, struct process *process);

#endif
