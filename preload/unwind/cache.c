#include "unwind/cache.h"
#include "kit/sections.h"

COLD_TABLE struct cache_set cache_sets[CACHE_SETS];
_Atomic(size_t) cache_offset_mask = CACHE_OFFSET_MASK(CACHE_SETS_AT_FIRST);

/* Rules that fell out since the cache has its size. */
static _Atomic(size_t) fallen_out;

/* One has. The cache grows when they are a quarter of its sets; what it holds is found where
 * it was (cache_find_earlier). */
static void note_fallen_out(void)
{
    size_t mask = atomic_load_explicit(&cache_offset_mask, memory_order_relaxed);
    size_t sets = mask / sizeof(struct cache_set) + 1;
    if (sets == CACHE_SETS ||
        atomic_fetch_add_explicit(&fallen_out, 1, memory_order_relaxed) < sets / 4)
        return;
    if (atomic_compare_exchange_strong(&cache_offset_mask, &mask, CACHE_OFFSET_MASK(2 * sets)))
        atomic_store_explicit(&fallen_out, 0, memory_order_relaxed);
}

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
    if (first != 0 && first_pc != pc) {
        if (atomic_load_explicit(&set->way[1].rule, memory_order_relaxed) != 0)
            note_fallen_out();
        write_entry(&set->way[1], first_pc, first);
    }
    write_entry(&set->way[0], pc, rule);
}

uint64_t cache_find_earlier(uintptr_t pc)
{
    size_t mask = atomic_load_explicit(&cache_offset_mask, memory_order_relaxed);
    uint64_t rule = 0;
    for (size_t sets = CACHE_SETS_AT_FIRST; !rule && CACHE_OFFSET_MASK(sets) < mask; sets *= 2)
        rule = cache_find_in(cache_set_by(pc, CACHE_OFFSET_MASK(sets)), pc);
    return rule;
}
