/* Who woke whom. */
#ifndef COLLECTOR_TRACE_EDGES_H
#define COLLECTOR_TRACE_EDGES_H

#include "trace/model.h"

/* Fills in `woken_by` of each wait: the last unlock of its lock by another thread before it ended.
 * The events are in order. */
void edges_find(struct trace *trace);

#endif
