#include "trace/encode.h"

#include <string.h>

#include "trace/perfetto.h"
#include "trace/trace_json.h"

static const struct {
    const char *name, *suffix;
    void *(*encode)(const struct trace *trace, size_t *size);
} formats[] = {
    [TRACE_PERFETTO] = {"perfetto", "pftrace", trace_encode_perfetto},
    [TRACE_CHROME] = {"chrome", "json", trace_encode_chrome},
    [TRACE_JSON] = {"json", "json", trace_encode_json},
};

bool trace_find_format(const char *name, enum trace_format *format)
{
    for (size_t n = 0; n < sizeof formats / sizeof *formats; n++)
        if (strcmp(formats[n].name, name) == 0) {
            *format = (enum trace_format)n;
            return true;
        }
    return false;
}

const char *trace_suffix(enum trace_format format)
{
    return formats[format].suffix;
}

void *trace_encode(const struct trace *trace, enum trace_format format, size_t *size)
{
    return formats[format].encode(trace, size);
}
