/*
 * Allocation that does not return NULL: out of memory ends the program with a
 * line on stderr and exit status 1. For the collector only.
 */
#ifndef COLLECTOR_PROFILE_XALLOC_H
#define COLLECTOR_PROFILE_XALLOC_H

#include <stddef.h>

void xalloc_die(void) __attribute__((noreturn));
void *xmalloc(size_t size) __attribute__((malloc));
void *xcalloc(size_t n, size_t size) __attribute__((malloc));
void *xrealloc(void *old, size_t n, size_t size);
char *xstrdup(const char *s) __attribute__((malloc));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), malloc));

/* Makes room for one more element in an array of n elements of `size` bytes;
 * *cap is the room there is, in elements. Returns the array. */
void *xgrow(void *array, size_t n, size_t *cap, size_t size);

#endif
