/* /debug/pprof/wall: the wall clock of every thread of a process. */
#ifndef COLLECTOR_SERVE_PPROF_WALL_H
#define COLLECTOR_SERVE_PPROF_WALL_H

#include "serve/http.h"

/* Answers with a window of ?seconds=N (30). Any HTTP thread; holds it that long. */
void pprof_wall(struct request *request, struct response *response, struct process *process);

#endif
