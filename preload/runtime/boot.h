/*
 * Memory for the moment in which the real allocator isn't known yet: another
 * thread may allocate while the first one looks it up. A static buffer of a
 * few pages; its blocks may be freed, reallocated and measured at any later
 * time. heap_filter_keep_boot has the hooks' fast path let them through, so that
 * asking costs nothing elsewhere.
 *
 * Context: hooks; lock-free.
 */
#ifndef LIBPROF_RUNTIME_BOOT_H
#define LIBPROF_RUNTIME_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_PAGE 4096
#define BOOT_PAGES 32 /* a moment of one thread: a few small blocks at the most */

/* One page more: the array itself doesn't begin at one (kit/sections.h). */
extern unsigned char boot_memory[(BOOT_PAGES + 1) * BOOT_PAGE]
    __attribute__((visibility("hidden")));

static inline bool boot_owns(const void *block)
{
    return (uintptr_t)block - (uintptr_t)boot_memory < sizeof boot_memory;
}

/* Zeroed memory on a page boundary, or NULL when the buffer is full. */
void *boot_alloc(size_t size);

/* Bytes of a block of boot_alloc's. */
size_t boot_size(const void *block);

#endif
