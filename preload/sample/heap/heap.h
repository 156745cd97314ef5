/*
 * The heap sampler: what an allocation hook does when its fast path rings.
 *
 * An allocation of S bytes is sampled with probability 1-e^(-S/rate): gaps of
 * exponential length are counted down in bytes (thread_self.heap_left), and the
 * one that takes the count below zero is recorded. Rate 1 records all of them:
 * the count then simply stays negative.
 *
 * A sampled block comes from the very function that was called, with the very arguments: its
 * address, its usable size, its neighbours, the allocator's statistics are what they would be
 * without libprof. It is recognized again by its address (heap_filter.h, live_sampled.h).
 *
 * realloc counts as a free of the old block and an allocation of the new one, as in Go and
 * jemalloc, whether it moves the block or not, and the new size is drawn anew. That keeps figures
 * unbiased: afterwards the block is tracked with probability p(new size) whatever happened to it
 * before. A rule that kept tracked blocks with a higher probability k would need a lower one, d,
 * for the others: p(old) k + (1 - p(old)) d = p(new). But d depends on the old size, which is
 * not known of a block that is not tracked (malloc_usable_size is not it). Blocks much larger
 * than the rate are sampled each time.
 *
 * Context: hooks. Each function does the whole request, real call included, and
 * leaves errno as the real call left it.
 */
#ifndef LIBPROF_SAMPLE_HEAP_HEAP_H
#define LIBPROF_SAMPLE_HEAP_HEAP_H

#include "sample/core/thread.h"
#include "sample/heap/heap_filter.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes a request off the thread's count: still above zero? The size's top bit is left
 * out: no such request is granted, and it would be added instead of subtracted. */
static inline bool heap_count_down(size_t size)
{
    uint64_t left = (uint64_t)thread_self.heap_left - (size & INT64_MAX);
    thread_self.heap_left = (int64_t)left;
    return thread_self.heap_left >= 0;
}

/* The program brings a malloc that precedes ours: what it hands out isn't seen. Written by
 * the constructor only. */
extern bool heap_own_malloc __attribute__((visibility("hidden")));

/* Functions of an allocator in the program whose entries lead to us (hooks/linked.h). Written by
 * the constructor only. */
extern uint32_t heap_linked __attribute__((visibility("hidden")));

/* Called by profiler_start: sets the mode by the configuration. */
void heap_start(bool active);

/* A forked child's, where the kernel did not wipe them: leaves its parent's tables behind. */
void heap_forget(void);

/* Bytes to a new thread's first sample. */
int64_t heap_first_gap(void);

/* The requests that took the count below zero; arguments, results and errno are those of the
 * functions that they are named for (malloc(3), posix_memalign(3)). */
void *heap_malloc(size_t size);
void *heap_calloc(size_t count, size_t size);
void *heap_realloc(void *block, size_t size);
void *heap_memalign(size_t alignment, size_t size);
void *heap_aligned_alloc(size_t alignment, size_t size);
int heap_posix_memalign(void **block, size_t alignment, size_t size);
void *heap_valloc(size_t size);
void *heap_pvalloc(size_t size);

/*
 * For allocation functions of other kinds (C++'s operators): is the request that
 * took the count below zero to be recorded? True: the thread is inside libprof,
 * and heap_sample_end must follow with what the real function returned, which heap_sample_end
 * passes on.
 */
bool heap_sample_begin(void);
void *heap_sample_end(void *block, size_t size);

/*
 * For functions that move a block, as realloc(3) does: begin before the real call, end with what it
 * returned, which is passed on. begin is false where libprof is at work already: then only the real
 * function is called.
 */
struct heap_move {
    bool is_sampled;
    uint32_t site; /* of the block, if it was tracked */
    void *entry;
};
bool heap_move_begin(struct heap_move *move, void *block);
void *heap_move_end(const struct heap_move *move, void *block, void *moved, size_t size);

/*
 * Before the real free of a block that may be tracked: takes it out of the live
 * table. The block leaves the table first: once the real free has run, another
 * thread may be given the same address. True when there is nothing to free for
 * real (NULL, boot memory).
 */
bool heap_untrack(void *block);

#endif
