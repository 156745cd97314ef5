/*
 * The one question that every free and realloc asks: may this block be one that we track?
 *
 * The answer is a byte in a table, found by a hash of the block's address. The byte counts the
 * tracked blocks that share it. Zero is a certain no, and almost every free ends there: one load
 * and one test. Anything else is a maybe, which costs a look-up in the exact table
 * (live_sampled.h). Nothing about the block itself says that it is tracked: it is the very
 * block that the allocator gave for the very request.
 *
 * The hash is linear: neighbouring blocks have neighbouring bytes. A byte stands for 829 bytes of
 * address space, a cache line for 52 KiB of heap, so the table shares the program's own locality.
 * The factor is the golden ratio's, which spreads regular distances (arenas every 64 MiB, slabs)
 * evenly (Knuth, vol. 3, 6.4, theorem S).
 *
 * How often is a maybe wrong? Two ways. A tracked block in the same 829 bytes: one block in
 * rate/829, 0.16 % at the default rate. A tracked block elsewhere with the same byte: the number
 * of tracked blocks divided by the number of bytes. The table is mapped with the first tracked
 * block and sized by the machine: 16 bytes for each block that would be tracked if the heap
 * filled the memory. So that is below 6 %, and 0.2 % where a heap takes a thirtieth of the memory.
 * With smaller rates both shares grow, but so does the number of samples, each of which costs a
 * hundred times what a wrong maybe does.
 *
 * Context: hooks. Lock-free, no allocation but raw mmap.
 */
#ifndef LIBPROF_SAMPLE_HEAP_HEAP_FILTER_H
#define LIBPROF_SAMPLE_HEAP_HEAP_FILTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct heap_filter {
    _Atomic(uint64_t) mask;    /* one less than the number of counts, a power of two */
    _Atomic(uint8_t) counts[]; /* tracked blocks with this hash; HEAP_FILTER_KEPT: for good */
};

#define HEAP_FILTER_KEPT UINT8_MAX
#define HEAP_FILTER_MIN (UINT32_C(1) << 16)
#define HEAP_FILTER_MAX (UINT32_C(1) << 22)

/*
 * The table in force. NULL before the start: every block is looked up. (Not a table that says so:
 * its address would be wrong until libprof.so is relocated, runtime/relocated.h.) In exact mode it
 * has a single count that is not zero: every block is looked up. With heap profiles off, and until
 * a block is tracked, it has a single count of zero.
 */
extern struct heap_filter *_Atomic heap_filter __attribute__((visibility("hidden")));

/* Of 2^24 values. 0x4f1bbcdd: 2^31 divided by the golden ratio; 2^40 / 0x4f1bbcdd = 829. */
static inline uint64_t heap_filter_hash(const void *block)
{
    return (uintptr_t)block * UINT64_C(0x4f1bbcdd) >> 40;
}

/* False: the block is not tracked, and not boot memory. */
static inline bool heap_may_track(const void *block)
{
    struct heap_filter *filter = atomic_load_explicit(&heap_filter, memory_order_relaxed);
    if (__builtin_expect(!filter, 0))
        return true;
    uint64_t at =
        heap_filter_hash(block) & atomic_load_explicit(&filter->mask, memory_order_relaxed);
    return __builtin_expect(atomic_load_explicit(&filter->counts[at], memory_order_relaxed) != 0,
                            0);
}

/*
 * Decides what the table is in this process, by heap_start: on: blocks are tracked; every: each
 * block is to be looked up (exact mode). rate: mean bytes between samples, from which the table's
 * size is computed. In a forked child, it starts empty.
 */
void heap_filter_start(bool on, bool every, uint64_t rate);

/*
 * Counts a block, before the program is given it. False when the table cannot be had: the block
 * cannot be tracked then.
 */
bool heap_filter_add(const void *block);

/* The reverse, after the block has left the exact table and before its real free. */
void heap_filter_remove(const void *block);

/* Boot memory (runtime/boot.h) was handed out: all of it is looked up from now on. */
void heap_filter_keep_boot(void);

#endif
