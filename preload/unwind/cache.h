/*
 * PC -> rule (rule.h), for the whole process: fixed size, lock-free, shared by
 * all threads and handlers. Two-way set-associative.
 *
 * An entry is two words written without a lock: the value, and the PC mixed
 * with it. A reader that sees halves of two different writes finds a PC that
 * isn't its own, and takes it for a miss. Nothing is ever removed: a rule dies
 * with its module (module_is_current), and is overwritten. It lives in .bss:
 * zeroed, private, copied by fork, with nothing to set up and a fixed address;
 * only the pages touched cost memory: 128 KiB at first, and twice as much each time that
 * rules fall out, to 1 MiB.
 *
 * Context: AS-safe, wait-free.
 */
#ifndef LIBPROF_UNWIND_CACHE_H
#define LIBPROF_UNWIND_CACHE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* 65536 rules at most: gcc's cc1 -O2 sees 30,000 PCs in the stacks of a second's mallocs; in
 * its samples 1,000, which lie so far apart that they would touch each page of a table that
 * is as large from the start. */
#define CACHE_SETS 32768u
#define CACHE_SETS_AT_FIRST 4096u
#define CACHE_WAYS 2

struct cache_entry {
    _Atomic(uint64_t) rule;
    _Atomic(uint64_t) tag; /* pc ^ cache_mix(rule) */
};

/* All that a PC may need lies in one cache line. */
struct cache_set {
    struct cache_entry way[CACHE_WAYS];
};
_Static_assert(sizeof(struct cache_set) == 32, "cache_set_at scales by it");

extern struct cache_set cache_sets[CACHE_SETS];

/* Of an offset into cache_sets: which of its bits count now. */
extern _Atomic(size_t) cache_offset_mask;

/* So that two torn rules don't cancel out where their PCs differ. */
static inline uint64_t cache_mix(uint64_t rule)
{
    return rule * UINT64_C(0x9e3779b97f4a7c15);
}

/* How many PCs share a set before another does: calls are longer than this. */
#define CACHE_GRAIN 4

#define CACHE_OFFSET_MASK(sets) (((sets)-1) * sizeof(struct cache_set))

/* The low bits alone: they tell the PCs of a function apart, and more shifting
 * would lengthen the one chain of dependent instructions that a walk is (here it is one
 * shift and one mask, for the grain is an eighth of the set's size). The second way is for
 * libraries whose code lies at the same page offset. The return address indexes, not the
 * PC, for it is what a walk holds. */
__attribute__((always_inline)) static inline struct cache_set *cache_set_by(uintptr_t pc,
                                                                            size_t mask)
{
    size_t offset = (pc + 1) * (sizeof(struct cache_set) / CACHE_GRAIN) & mask;
    return (struct cache_set *)(void *)((char *)cache_sets + offset);
}

/* Where it is kept now. */
__attribute__((always_inline)) static inline struct cache_set *cache_set_of(uintptr_t pc)
{
    return cache_set_by(pc, atomic_load_explicit(&cache_offset_mask, memory_order_relaxed));
}

__attribute__((always_inline)) static inline uint64_t cache_find_in(struct cache_set *set,
                                                                    uintptr_t pc)
{
    uint64_t rule = atomic_load_explicit(&set->way[0].rule, memory_order_relaxed);
    uint64_t tag = atomic_load_explicit(&set->way[0].tag, memory_order_relaxed);
    if (__builtin_expect((tag ^ cache_mix(rule)) == pc, 1))
        return rule;
    rule = atomic_load_explicit(&set->way[1].rule, memory_order_relaxed);
    tag = atomic_load_explicit(&set->way[1].tag, memory_order_relaxed);
    return (tag ^ cache_mix(rule)) == pc ? rule : 0;
}

/* The rule of a PC, or 0. */
__attribute__((always_inline)) static inline uint64_t cache_find(uintptr_t pc)
{
    return cache_find_in(cache_set_of(pc), pc);
}

/* What was entered when the cache was smaller, or 0: for a PC that cache_find doesn't know. */
uint64_t cache_find_earlier(uintptr_t pc);

/* Enters a rule, in place of the PC's older one or of another's. */
void cache_enter(uintptr_t pc, uint64_t rule);

#endif
