/*
 * The allocation functions. Each only counts and tests; what happens when the
 * count runs out is sample/heap/heap.c's. The fast path of malloc is a subtraction in
 * thread-local storage and a tail call; that of free a hash, a load and a test.
 *
 * malloc(3), posix_memalign(3), malloc_usable_size(3); C23 7.24.3 for
 * free_sized and free_aligned_sized.
 */
#include "hooks/export.h"
#include "runtime/boot.h"
#include "runtime/real.h"
#include "sample/core/thread.h"
#include "sample/heap/heap.h"

#include <malloc.h>
#include <stdlib.h>

void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);
void cfree(void *block);

/* Counts a request; false when it is (or may be) to be recorded, or nothing is known yet:
 * before libprof.so is relocated there is no thread-local storage to count in
 * (runtime/relocated.h). */
#define COUNT_DOWN(name, size) (LIKELY(real.name != NULL) && LIKELY(heap_count_down(size)))

/* Not inlined: the short way then needs no frame. */
static __attribute__((noinline)) void free_tracked(void *block)
{
    if (!heap_untrack(block))
        real.free(block);
}

EXPORT void *malloc(size_t size)
{
    return COUNT_DOWN(malloc, size) ? real.malloc(size) : heap_malloc(size);
}

EXPORT void free(void *block)
{
    if (heap_may_track(block))
        free_tracked(block);
    else
        real.free(block);
}

EXPORT void *calloc(size_t count, size_t size)
{
    size_t total;
    if (LIKELY(!__builtin_mul_overflow(count, size, &total)) && COUNT_DOWN(calloc, total))
        return real.calloc(count, size);
    return heap_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    /* A block that is tracked must be found even when its new size isn't sampled. */
    if (COUNT_DOWN(realloc, size) && !heap_may_track(block))
        return real.realloc(block, size);
    return heap_realloc(block, size);
}

EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return real.reallocarray ? real.reallocarray(block, count, size) : NULL;
    return realloc(block, total);
}

EXPORT int posix_memalign(void **block, size_t alignment, size_t size)
{
    return COUNT_DOWN(posix_memalign, size) ? real.posix_memalign(block, alignment, size)
                                            : heap_posix_memalign(block, alignment, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return COUNT_DOWN(aligned_alloc, size) ? real.aligned_alloc(alignment, size)
                                           : heap_aligned_alloc(alignment, size);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    return COUNT_DOWN(memalign, size) ? real.memalign(alignment, size)
                                      : heap_memalign(alignment, size);
}

EXPORT void *valloc(size_t size)
{
    return COUNT_DOWN(valloc, size) ? real.valloc(size) : heap_valloc(size);
}

EXPORT void *pvalloc(size_t size)
{
    return COUNT_DOWN(pvalloc, size) ? real.pvalloc(size) : heap_pvalloc(size);
}

EXPORT size_t malloc_usable_size(void *block)
{
    if (boot_owns(block))
        return boot_size(block);
    return real.malloc_usable_size ? real.malloc_usable_size(block) : 0;
}

EXPORT void cfree(void *block)
{
    if (heap_may_track(block) && heap_untrack(block))
        return;
    if (real.cfree)
        real.cfree(block);
    else
        real.free(block);
}

/* The real allocator may check the size (C23: undefined if it is wrong), so it
 * gets the same call where it has one. */
EXPORT void free_sized(void *block, size_t size)
{
    if (heap_may_track(block) && heap_untrack(block))
        return;
    if (real.free_sized)
        real.free_sized(block, size);
    else
        real.free(block);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    if (heap_may_track(block) && heap_untrack(block))
        return;
    if (real.free_aligned_sized)
        real.free_aligned_sized(block, alignment, size);
    else
        real.free(block);
}
