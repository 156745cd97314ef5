/*
 * PC -> rule (rule.h), for the whole process: fixed size, lock-free, shared by
 * all threads and handlers. Two-way set-associative.
 *
 * An entry is two words written without a lock: the value, and the PC mixed
 * with it. A reader that sees halves of two different writes finds a PC that
 * isn't its own, and takes it for a miss. Nothing is ever removed: a rule dies
 * with its module (module_is_current), and is overwritten. It lives in .bss:
 * zeroed, private, copied by fork, with nothing to set up and a fixed address;
 * only the pages touched cost memory (1 MiB at most).
 *
 * Context: AS-safe, wait-free.
 */
#ifndef LIBPROF_UNWIND_CACHE_H
#define LIBPROF_UNWIND_CACHE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* 65536 rules: gcc's cc1 -O2 sees 30,000 PCs in a second's samples and malloc
 * stacks; sqlite3 2,000. */
#define CACHE_SETS_LOG2 15
#define CACHE_SETS (1u << CACHE_SETS_LOG2)
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

/* So that two torn rules don't cancel out where their PCs differ. */
static inline uint64_t cache_mix(uint64_t rule)
{
    return rule * UINT64_C(0x9e3779b97f4a7c15);
}

/* How many PCs share a set before another does: calls are longer than this. */
#define CACHE_GRAIN 4

/* The low bits alone: they tell the PCs of a function apart, and more shifting
 * would lengthen the one chain of dependent instructions that a walk is (here it is one
 * shift and one mask, for the grain is an eighth of the set's size). The second way is for
 * libraries whose code lies at the same page offset. The return address indexes, not the
 * PC, for it is what a walk holds. */
__attribute__((always_inline)) static inline struct cache_set *cache_set_of(uintptr_t pc)
{
    size_t offset = (pc + 1) * (sizeof(struct cache_set) / CACHE_GRAIN) &
                    (CACHE_SETS - 1) * sizeof(struct cache_set);
    return (struct cache_set *)(void *)((char *)cache_sets + offset);
}

/* The rule of a PC, or 0. */
__attribute__((always_inline)) static inline uint64_t cache_find(uintptr_t pc)
{
    struct cache_set *set = cache_set_of(pc);
    uint64_t rule = atomic_load_explicit(&set->way[0].rule, memory_order_relaxed);
    uint64_t tag = atomic_load_explicit(&set->way[0].tag, memory_order_relaxed);
    if (__builtin_expect((tag ^ cache_mix(rule)) == pc, 1))
        return rule;
    rule = atomic_load_explicit(&set->way[1].rule, memory_order_relaxed);
    tag = atomic_load_explicit(&set->way[1].tag, memory_order_relaxed);
    return (tag ^ cache_mix(rule)) == pc ? rule : 0;
}

/* Enters a rule, in place of the PC's older one or of another's. */
void cache_enter(uintptr_t pc, uint64_t rule);

#endif
