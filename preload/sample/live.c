#include "sample/live.h"
#include "runtime/sys.h"
#include "sample/handler.h"

#include <sys/mman.h>

#define EXACT_SHIFT 3 /* malloc aligns to 16, other allocators' smallest classes to 8 */
#define SAMPLED_SHIFT 12
/* In sampled mode an entry also says where in its page the block starts: a
 * placed block (offset 0) and a large one may have their starts in one page. */
#define OFFSET_BITS 9 /* of 8-byte units in a page */
#define OFFSET_OF(address) ((uint32_t)((address) >> 3) & ((1u << OFFSET_BITS) - 1))

_Atomic(struct live_table *) live_table;
unsigned live_shift = SAMPLED_SHIFT;
static uint64_t memory_cap;

void live_start(bool exact, uint64_t cap)
{
    live_shift = exact ? EXACT_SHIFT : SAMPLED_SHIFT;
    memory_cap = cap;
}

static size_t leaf_size(void)
{
    return ((size_t)1 << (LIVE_REGION_SHIFT - live_shift)) * sizeof(live_entry);
}

/* Zeroed memory that a forked child gets zeroed again, or NULL; always that under a seccomp
 * filter, which may know the program's mmap but not our madvise. */
static void *map_wiped(size_t size)
{
    void *memory = handler_sealed() ? NULL : sys_map_private(size);
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
    struct live_table *mine = map_wiped(sizeof *mine);
    if (mine && atomic_compare_exchange_strong(&live_table, &table, mine))
        return mine;
    if (mine)
        sys_unmap(mine, sizeof *mine); /* another thread was faster */
    return table;
}

static uintptr_t leaf_make(struct live_table *table, struct live_region *region)
{
    uintptr_t leaf = atomic_load_explicit(&region->leaf, memory_order_acquire);
    size_t size = leaf_size();
    if (leaf)
        return leaf;
    if (atomic_fetch_add(&table->used, size) + size > memory_cap) {
        atomic_fetch_sub(&table->used, size);
        return 0;
    }
    void *mine = map_wiped(size);
    if (mine && atomic_compare_exchange_strong(&region->leaf, &leaf, (uintptr_t)mine))
        return (uintptr_t)mine;
    atomic_fetch_sub(&table->used, size);
    if (mine)
        sys_unmap(mine, size);
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
    uintptr_t address = (uintptr_t)block;
    live_entry *entry = entry_make(address);
    if (!entry)
        return LIVE_FULL;
    if (live_shift == EXACT_SHIFT)
        return live_exchange(entry, site);
    if (site >> (32 - OFFSET_BITS))
        return LIVE_FULL;
    /* Compare: two threads may have blocks that begin in one page. */
    uint32_t seen = atomic_load_explicit(entry, memory_order_relaxed);
    do {
        if (seen != 0 && (seen & ((1u << OFFSET_BITS) - 1)) != OFFSET_OF(address))
            return LIVE_FULL; /* the page has another block's entry */
    } while (!atomic_compare_exchange_weak(entry, &seen, site << OFFSET_BITS | OFFSET_OF(address)));
    return seen >> OFFSET_BITS;
}

uint32_t live_remove(const void *block)
{
    uintptr_t address = (uintptr_t)block;
    live_entry *entry = live_find(block);
    if (!entry)
        return 0;
    /* A miss must not write: the entry's cache line may be another thread's. */
    uint32_t seen = atomic_load_explicit(entry, memory_order_relaxed);
    if (seen == 0)
        return 0;
    if (live_shift == EXACT_SHIFT)
        return live_exchange(entry, 0);
    if ((seen & ((1u << OFFSET_BITS) - 1)) != OFFSET_OF(address))
        return 0;
    /* Compare: another block's entry may have come since, should a program free twice. */
    return atomic_compare_exchange_strong(entry, &seen, 0) ? seen >> OFFSET_BITS : 0;
}

void live_forget(void)
{
    atomic_store(&live_table, NULL);
}
