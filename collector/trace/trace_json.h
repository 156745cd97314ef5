#ifndef COLLECTOR_TRACE_TRACE_JSON_H
#define COLLECTOR_TRACE_TRACE_JSON_H

#include "trace/model.h"

/* Chrome's trace events, and the plain form: malloc'ed, *size bytes, without a NUL. */
void *trace_encode_chrome(const struct trace *trace, size_t *size);
void *trace_encode_json(const struct trace *trace, size_t *size);

#endif
