/* A trace as a file for other programs. */
#ifndef COLLECTOR_TRACE_ENCODE_H
#define COLLECTOR_TRACE_ENCODE_H

#include <stdbool.h>

#include "trace/model.h"

enum trace_format { TRACE_PERFETTO, TRACE_CHROME, TRACE_JSON };

/* By name ("perfetto", "chrome", "json"); false: there is none such. */
bool trace_find_format(const char *name, enum trace_format *format);
/* "pftrace" or "json". */
const char *trace_suffix(enum trace_format format);

/* The trace as a file: malloc'ed, *size bytes. */
void *trace_encode(const struct trace *trace, enum trace_format format, size_t *size);

#endif
