#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mem_die(void)
{
    fputs("prof: out of memory\n", stderr);
    exit(1);
}

void *mem_alloc(size_t size)
{
    void *at = malloc(size ? size : 1);
    if (!at)
        mem_die();
    return at;
}

void *mem_zero(size_t n, size_t size)
{
    void *at = calloc(n ? n : 1, size ? size : 1);
    if (!at)
        mem_die();
    return at;
}

void *mem_resize(void *old, size_t n, size_t size)
{
    void *at = reallocarray(old, n ? n : 1, size);
    if (!at)
        mem_die();
    return at;
}

char *mem_strdup(const char *s)
{
    size_t size = strlen(s) + 1;
    return memcpy(mem_alloc(size), s, size);
}

char *mem_printf(const char *fmt, ...)
{
    va_list ap;
    char *text;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        mem_die();
    va_end(ap);
    return text;
}

void *mem_grow(void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return array;
    size_t more = *cap ? *cap * 2 : 16;
    array = mem_resize(array, more, size);
    *cap = more;
    return array;
}
