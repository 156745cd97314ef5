#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

bool fail_with(struct error *err, const char *fmt, ...)
{
    va_list arguments;
    va_start(arguments, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, arguments);
    va_end(arguments);
    return false;
}
