/*
 * Exact mode: which blocks are alive, address -> site. Sampled mode has live_sampled.h.
 *
 * A shadow of the heap instead of a hash table: 4 MiB regions of address space, each with a leaf
 * of 32-bit site numbers, one for each 8 bytes (no two blocks start in 8 bytes). An entry lies
 * next to its neighbours' in the heap, so it shares their cache locality; it needs no probing, no
 * growth, no tombstones, and each access is one atomic word that only the block's owner touches.
 *
 * Memory: at most half of the heap. Wiped in forked children, whose blocks are their parent's, not
 * theirs. Capped.
 *
 * Context: hooks. Lock-free, no allocation but raw mmap.
 */
#ifndef LIBPROF_SAMPLE_HEAP_LIVE_H
#define LIBPROF_SAMPLE_HEAP_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIVE_REGION_SHIFT 22     /* 4 MiB of address space share a leaf */
#define LIVE_REGION_SLOTS 65536u /* regions known at once: 256 GiB of heap */
#define LIVE_PROBES 64
#define LIVE_GRANULE_SHIFT 3 /* malloc aligns to 16, other allocators' smallest classes to 8 */

typedef _Atomic(uint32_t) live_entry;

struct live_region {
    _Atomic(uintptr_t) number; /* address >> LIVE_REGION_SHIFT; 0 = free. Set once. */
    _Atomic(uintptr_t) leaf;   /* its entries; 0 = not made yet. Set once. */
};

/* All of it is wiped in a forked child. */
struct live_table {
    _Atomic(uint64_t) used; /* bytes of leaves */
    struct live_region regions[LIVE_REGION_SLOTS];
};

/* NULL until the first insertion. */
extern _Atomic(struct live_table *) live_table __attribute__((visibility("hidden")));

/* Neighbouring regions take neighbouring slots; far heaps start elsewhere. */
static inline uint32_t live_slot(uintptr_t number)
{
    return (uint32_t)(number ^ number >> 13) % LIVE_REGION_SLOTS;
}

static inline live_entry *live_entry_at(uintptr_t leaf, uintptr_t address)
{
    uintptr_t inside = address & (((uintptr_t)1 << LIVE_REGION_SHIFT) - 1);
    return (live_entry *)leaf + (inside >> LIVE_GRANULE_SHIFT);
}

/* The entry for an address whose region is known, else NULL. */
static inline live_entry *live_find(const void *block)
{
    struct live_table *table = atomic_load_explicit(&live_table, memory_order_acquire);
    uintptr_t number = (uintptr_t)block >> LIVE_REGION_SHIFT;
    if (!table)
        return NULL;
    uint32_t slot = live_slot(number);
    for (unsigned probe = 0; probe < LIVE_PROBES; probe++) {
        struct live_region *region = &table->regions[(slot + probe) % LIVE_REGION_SLOTS];
        uintptr_t seen = atomic_load_explicit(&region->number, memory_order_acquire);
        if (__builtin_expect(seen == number, 1)) {
            uintptr_t leaf = atomic_load_explicit(&region->leaf, memory_order_acquire);
            return leaf ? live_entry_at(leaf, (uintptr_t)block) : NULL;
        }
        if (seen == 0)
            break;
    }
    return NULL;
}

/* Is the block of this entry tracked? */
static inline bool live_is_set(live_entry *entry)
{
    return atomic_load_explicit(entry, memory_order_relaxed) != 0;
}

/*
 * What live_insert and, with 0, live_remove do, by the entry that live_find gave. No
 * locked instruction: nobody but the block's owner touches its entry, and blocks change hands
 * through the allocator.
 */
static inline uint32_t live_exchange(live_entry *entry, uint32_t site)
{
    uint32_t before = atomic_load_explicit(entry, memory_order_relaxed);
    atomic_store_explicit(entry, site, memory_order_relaxed);
    return before;
}

/* Bytes that the leaves, or live_sampled.h's levels, may take. Set at the start. */
extern uint64_t live_cap __attribute__((visibility("hidden")));

/*
 * Enters a block that its thread is about to hand out. site: not 0. Returns the
 * site of a block that was entered here before and whose free nobody saw (0:
 * none), or LIVE_FULL when the block can't be tracked.
 */
#define LIVE_FULL UINT32_MAX
uint32_t live_insert(const void *block, uint32_t site);

/* Leaves the table behind: a forked child's, where the kernel didn't wipe it. */
void live_forget(void);

/* Takes a block out: its site, or 0 when it isn't there. */
uint32_t live_remove(const void *block);

/* Zeroed memory that a forked child gets zeroed again, or NULL; always NULL under a seccomp
 * filter, which may know the program's mmap but not our madvise. size: bytes. */
void *live_map_wiped(size_t size);

#endif
