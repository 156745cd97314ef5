/*
 * Memory for the moment in which the real allocator isn't known yet: dlsym may
 * call calloc or malloc while it looks the real ones up. A small static buffer;
 * its blocks may be freed, reallocated and measured at any later time, which
 * the hooks ask about first.
 *
 * Context: hooks; lock-free.
 */
#ifndef LIBPROF_RUNTIME_BOOT_H
#define LIBPROF_RUNTIME_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_SIZE 16384 /* glibc's dlsym asks for under 1 KiB; other loaders' for a few */

extern unsigned char boot_memory[BOOT_SIZE];

static inline bool boot_owns(const void *block)
{
    return (uintptr_t)block - (uintptr_t)boot_memory < BOOT_SIZE;
}

/* Zeroed memory, or NULL when the buffer is full. alignment: a power of two. */
void *boot_alloc(size_t size, size_t alignment);

/* Bytes of a block of boot_alloc's. */
size_t boot_size(const void *block);

#endif
