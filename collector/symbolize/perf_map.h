/*
 * /tmp/perf-PID.map: where just-in-time compilers tell the names of their code.
 */
#ifndef COLLECTOR_SYMBOLIZE_PERF_MAP_H
#define COLLECTOR_SYMBOLIZE_PERF_MAP_H

#include <stdint.h>

struct perf_map;

/* NULL: none, or it belongs to somebody who is neither us, root, nor the process's
 * owner. Looks into the process's own /tmp first, as perf does. */
struct perf_map *perf_map_open(long pid);
void perf_map_close(struct perf_map *m);
/* Name of the code at a run-time address and where it starts; NULL: none. */
const char *perf_map_find(const struct perf_map *m, uint64_t address, uint64_t *start);

#endif
