#include "profile/xalloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void xalloc_die(void)
{
    fputs("prof: out of memory\n", stderr);
    exit(1);
}

void *xmalloc(size_t size)
{
    void *at = malloc(size ? size : 1);
    if (!at)
        xalloc_die();
    return at;
}

void *xcalloc(size_t n, size_t size)
{
    void *at = calloc(n ? n : 1, size ? size : 1);
    if (!at)
        xalloc_die();
    return at;
}

void *xrealloc(void *old, size_t n, size_t size)
{
    void *at = reallocarray(old, n ? n : 1, size);
    if (!at)
        xalloc_die();
    return at;
}

char *xstrdup(const char *s)
{
    size_t size = strlen(s) + 1;
    return memcpy(xmalloc(size), s, size);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *text;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        xalloc_die();
    va_end(ap);
    return text;
}

void *xgrow(void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return array;
    size_t more = *cap ? *cap * 2 : 16;
    array = xrealloc(array, more, size);
    *cap = more;
    return array;
}
