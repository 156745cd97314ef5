#ifndef COLLECTOR_TRACE_PERFETTO_H
#define COLLECTOR_TRACE_PERFETTO_H

#include "trace/model.h"

/* Perfetto's protobuf: malloc'ed, *size bytes. */
void *trace_encode_perfetto(const struct trace *trace, size_t *size);

#endif
