#include "sample/heap/live.h"
#include "kit/mappings.h"
#include "kit/sys.h"

#include <sys/mman.h>

_Atomic(struct live_table *) live_table;
uint64_t live_cap;

#define LEAF_SIZE (((size_t)1 << (LIVE_REGION_SHIFT - LIVE_GRANULE_SHIFT)) * sizeof(live_entry))

void *live_map_wiped(size_t size)
{
    void *memory = sys_forbidden() ? NULL : mappings_map(size);
    if (memory) {
        sys_call3(SYS_madvise, memory, size, MADV_WIPEONFORK);
        sys_call3(SYS_madvise, memory, size, MADV_DONTDUMP);
    }
    return memory;
}

static struct live_table *table_make(void)
{
    struct live_table *table = atomic_load_explicit(&live_table, memory_order_acquire);
    if (table)
        return table;
    struct live_table *mine = live_map_wiped(sizeof *mine);
    if (mine && atomic_compare_exchange_strong(&live_table, &table, mine))
        return mine;
    if (mine)
        mappings_unmap(mine, sizeof *mine); /* another thread was faster */
    return table;
}

static uintptr_t leaf_make(struct live_table *table, struct live_region *region)
{
    uintptr_t leaf = atomic_load_explicit(&region->leaf, memory_order_acquire);
    size_t size = LEAF_SIZE;
    if (leaf)
        return leaf;
    if (atomic_fetch_add(&table->used, size) + size > live_cap) {
        atomic_fetch_sub(&table->used, size);
        return 0;
    }
    void *mine = live_map_wiped(size);
    if (mine && atomic_compare_exchange_strong(&region->leaf, &leaf, (uintptr_t)mine))
        return (uintptr_t)mine;
    atomic_fetch_sub(&table->used, size);
    if (mine)
        mappings_unmap(mine, size);
    return leaf;
}

/* The entry for an address, made if need be; NULL when there is no room for it. */
static live_entry *entry_make(uintptr_t address)
{
    struct live_table *table = table_make();
    if (!table)
        return NULL;
    uintptr_t number = address >> LIVE_REGION_SHIFT;
    uint32_t slot = live_slot(number);
    for (unsigned probe = 0; probe < LIVE_PROBES; probe++) {
        struct live_region *region = &table->regions[(slot + probe) % LIVE_REGION_SLOTS];
        uintptr_t seen = atomic_load_explicit(&region->number, memory_order_acquire);
        if (seen == 0 && atomic_compare_exchange_strong(&region->number, &seen, number))
            seen = number;
        if (seen == number) {
            uintptr_t leaf = leaf_make(table, region);
            return leaf ? live_entry_at(leaf, address) : NULL;
        }
    }
    return NULL;
}

uint32_t live_insert(const void *block, uint32_t site)
{
    live_entry *entry = entry_make((uintptr_t)block);
    return entry ? live_exchange(entry, site) : LIVE_FULL;
}

uint32_t live_remove(const void *block)
{
    live_entry *entry = live_find(block);
    /* A miss must not write: the entry's cache line may be another thread's. */
    return entry && live_is_set(entry) ? live_exchange(entry, 0) : 0;
}

void live_forget(void)
{
    atomic_store(&live_table, NULL);
}
