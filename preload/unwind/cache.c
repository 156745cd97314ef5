#include "unwind/cache.h"
#include "runtime/late.h"

LATE_TABLE struct cache_way cache_ways[CACHE_WAYS];

static void write_entry(struct cache_way *way, unsigned set, uintptr_t pc, uint64_t rule)
{
    atomic_store_explicit(&way->rule[set], rule, memory_order_relaxed);
    atomic_store_explicit(&way->tag[set], pc ^ cache_mix(rule), memory_order_relaxed);
}

void cache_enter(uintptr_t pc, uint64_t rule)
{
    unsigned set = cache_set_of(pc);
    uint64_t first = atomic_load_explicit(&cache_ways[0].rule[set], memory_order_relaxed);
    uint64_t first_tag = atomic_load_explicit(&cache_ways[0].tag[set], memory_order_relaxed);
    uintptr_t first_pc = first_tag ^ cache_mix(first);
    /* The newest goes first; what was there moves on, and the oldest falls out. */
    if (first != 0 && first_pc != pc)
        write_entry(&cache_ways[1], set, first_pc, first);
    write_entry(&cache_ways[0], set, pc, rule);
}
