/*
 * Allocation that does not return NULL: out of memory ends the program with a
 * line on stderr and exit status 1. For the collector only.
 */
#ifndef COLLECTOR_BASE_MEM_H
#define COLLECTOR_BASE_MEM_H

#include <stddef.h>

/* Says that there is no memory, and ends the program with status 1. */
void mem_die(void) __attribute__((noreturn));
/* malloc, calloc (n elements of `size` bytes), reallocarray, strdup and asprintf. The result is the
 * caller's, never NULL, and free gives it back. */
void *mem_alloc(size_t size) __attribute__((malloc));
void *mem_zero(size_t n, size_t size) __attribute__((malloc));
void *mem_resize(void *old, size_t n, size_t size);
char *mem_strdup(const char *s) __attribute__((malloc));
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2), malloc));

/* Makes room for one more element in an array of n elements of `size` bytes;
 * *cap is the room there is, in elements. Returns the array. */
void *mem_grow(void *array, size_t n, size_t *cap, size_t size);

#endif
