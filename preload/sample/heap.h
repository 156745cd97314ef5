/*
 * The heap sampler: what an allocation hook does when its fast path rings.
 *
 * An allocation of S bytes is sampled with probability 1-e^(-S/rate): gaps of
 * exponential length are counted down in bytes (thread_self.heap_left), and the
 * one that takes the count below zero is recorded. Rate 1 records all of them:
 * the count then simply stays negative.
 *
 * A sampled block is placed so that its address says so: on a page boundary,
 * where free's one test (heap_free_mask) finds it. It stays an ordinary block of
 * the real allocator, with no header.
 *
 * Context: hooks. Each function does the whole request, real call included, and
 * leaves errno as the real call left it.
 */
#ifndef LIBPROF_SAMPLE_HEAP_H
#define LIBPROF_SAMPLE_HEAP_H

#include "sample/thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * free looks a block up only if heap_may_follow says so. Its first test is
 * (address & heap_free_mask) == 0:
 *   HEAP_MASK_PLACED  sampled blocks are on page boundaries, or, as glibc's own
 *                     mmapped ones, 16 bytes past one
 *   0                 every block is looked up: exact mode, while a sampled
 *                     block lives that couldn't be placed, and before the start
 *   ~0                none is (NULL passes the test, and is handled)
 */
#define HEAP_MASK_PLACED ((uintptr_t)0xfef)
/* The bits above number the mask's changes (heap.c). No block's address has any of them: user
 * space ends below bit 57, aarch64's memory tags below 60. */
#define HEAP_MASK_CHANGE ((uintptr_t)1 << 60)
#define HEAP_MASK_TESTED (HEAP_MASK_CHANGE - 1)
extern _Atomic(uintptr_t) heap_free_mask __attribute__((visibility("hidden")));

/*
 * Its second: how many followed blocks lie in the pages that share an entry with
 * the block's. Blocks that were placed on a page, and freed, are handed out again for
 * ordinary requests, again and again in a tight loop: the mask lets them
 * all through. Exact mode, and the time before the start, have a table full of ones.
 */
#define HEAP_PAGES 4096u
typedef const _Atomic(uint8_t) heap_page_count;
extern heap_page_count *_Atomic heap_pages __attribute__((visibility("hidden")));

static inline unsigned heap_page(const void *block)
{
    return (unsigned)((uintptr_t)block >> 12) % HEAP_PAGES;
}

/* May this block be one that is followed, or boot memory? Otherwise it is the real
 * allocator's and nothing of ours. */
static inline bool heap_may_follow(const void *block)
{
    uintptr_t mask = atomic_load_explicit(&heap_free_mask, memory_order_relaxed);
    if (((uintptr_t)block & mask) != 0)
        return false;
    heap_page_count *pages = atomic_load_explicit(&heap_pages, memory_order_relaxed);
    return __builtin_expect(
        atomic_load_explicit(&pages[heap_page(block)], memory_order_relaxed) != 0, 0);
}

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

/* The functions for a block's whole life are one allocator's, so that a sampled one may come
 * of another of them (memalign) than was called. Written by the constructor only. */
extern bool heap_one_family __attribute__((visibility("hidden")));

/* A thread's last words: tells the ledger the bytes it hasn't told yet. */
void heap_thread_end(void);

/* Called by recorder_start: sets mask and mode by the configuration. */
void heap_start(bool active);

/* Bytes to a new thread's first sample. */
int64_t heap_first_gap(void);

void *heap_malloc(size_t size);
void *heap_calloc(size_t count, size_t size);
void *heap_realloc(void *block, size_t size);
/* The aligned forms. alignment 0: the page (valloc). */
void *heap_memalign(size_t alignment, size_t size);
void *heap_aligned_alloc(size_t alignment, size_t size);
int heap_posix_memalign(void **block, size_t alignment, size_t size);
void *heap_valloc(size_t size);
void *heap_pvalloc(size_t size);

/*
 * For allocation functions of other kinds (C++'s operators): is the request that
 * took the count below zero to be recorded? True: the thread is inside libprof,
 * and heap_end must follow with what the real function returned, which heap_end
 * passes on.
 */
bool heap_begin(void);
void *heap_end(void *block, size_t size);

/*
 * Before the real free of a block that may be followed: takes it out of the live
 * table. The block leaves the table first: once the real free has run, another
 * thread may be given the same address. True when there is nothing to free for
 * real (NULL, boot memory).
 */
bool heap_free(void *block);

#endif
