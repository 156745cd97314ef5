#include "unwind/cache.h"
#include "runtime/late.h"

LATE_TABLE struct cache_set cache_sets[CACHE_SETS];

static void write_entry(struct cache_entry *entry, uintptr_t pc, uint64_t rule)
{
    atomic_store_explicit(&entry->rule, rule, memory_order_relaxed);
    atomic_store_explicit(&entry->tag, pc ^ cache_mix(rule), memory_order_relaxed);
}

void cache_enter(uintptr_t pc, uint64_t rule)
{
    struct cache_set *set = cache_set_of(pc);
    uint64_t first = atomic_load_explicit(&set->way[0].rule, memory_order_relaxed);
    uint64_t first_tag = atomic_load_explicit(&set->way[0].tag, memory_order_relaxed);
    uintptr_t first_pc = first_tag ^ cache_mix(first);
    /* The newest goes first; what was there moves on, and the oldest falls out. */
    if (first != 0 && first_pc != pc)
        write_entry(&set->way[1], first_pc, first);
    write_entry(&set->way[0], pc, rule);
}
