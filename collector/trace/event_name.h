/* What an event is called for people. */
#ifndef COLLECTOR_TRACE_EVENT_NAME_H
#define COLLECTOR_TRACE_EVENT_NAME_H

#include "trace/model.h"

/* A short name for an event: "wait: mutex in parse". buffer: of TRACE_NAME bytes, which is
 * returned. */
#define TRACE_NAME 160
const char *trace_event_name(const struct trace *trace, const struct trace_event *event,
                             char *buffer);

#endif
