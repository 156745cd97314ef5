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
#include <stdint.h>

/* 65536 rules: gcc's cc1 -O2 sees 30,000 PCs in a second's samples and malloc
 * stacks; sqlite3 2,000. */
#define CACHE_SETS_LOG2 15
#define CACHE_SETS (1u << CACHE_SETS_LOG2)
#define CACHE_WAYS 2

/* Rules and tags apart: a rule's place is then one scaled index away. */
struct cache_way {
    _Atomic(uint64_t) rule[CACHE_SETS];
    _Atomic(uint64_t) tag[CACHE_SETS]; /* pc ^ cache_mix(rule) */
};

extern struct cache_way cache_ways[CACHE_WAYS];

/* So that two torn rules don't cancel out where their PCs differ. */
static inline uint64_t cache_mix(uint64_t rule)
{
    return rule * UINT64_C(0x9e3779b97f4a7c15);
}

/* The low bits alone: they tell the PCs of a function apart, and more shifting
 * would lengthen the one chain of dependent instructions that a walk is. The
 * second way is for libraries whose code lies at the same page offset. The
 * return address indexes, not the PC, for it is what a walk holds. */
static inline unsigned cache_set_of(uintptr_t pc)
{
    return (unsigned)(pc + 1) & (CACHE_SETS - 1);
}

/* The rule of a PC, or 0. */
__attribute__((always_inline)) static inline uint64_t cache_find(uintptr_t pc)
{
    unsigned set = cache_set_of(pc);
    uint64_t rule = atomic_load_explicit(&cache_ways[0].rule[set], memory_order_relaxed);
    uint64_t tag = atomic_load_explicit(&cache_ways[0].tag[set], memory_order_relaxed);
    if (__builtin_expect((tag ^ cache_mix(rule)) == pc, 1))
        return rule;
    rule = atomic_load_explicit(&cache_ways[1].rule[set], memory_order_relaxed);
    tag = atomic_load_explicit(&cache_ways[1].tag[set], memory_order_relaxed);
    return (tag ^ cache_mix(rule)) == pc ? rule : 0;
}

/* Enters a rule, in place of the PC's older one or of another's. */
void cache_enter(uintptr_t pc, uint64_t rule);

#endif
