/* Reading a process's ring of events, and putting it in order. */
#ifndef COLLECTOR_TRACE_TRACE_H
#define COLLECTOR_TRACE_TRACE_H

#include "trace/model.h"
#include "wire/reader.h"

/* The events that ended in the window, CLOCK_MONOTONIC. Never NULL; may have none. Names are not
 * looked up: symbolize trace->stacks. */
struct trace *trace_read(const struct ledger_view *view, int64_t from_ns, int64_t to_ns);
/* NULL is fine. */
void trace_free(struct trace *trace);

#endif
