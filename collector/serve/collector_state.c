#include "serve/collector_state.h"

#include <stdarg.h>
#include <stdio.h>

void collector_log(const struct collector *collector, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    if (collector->options.quiet)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "prof: %s\n", line);
}
