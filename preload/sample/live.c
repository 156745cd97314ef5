#include "sample/live.h"
#include "runtime/sys.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

#define REGION_SHIFT 22     /* 4 MiB of address space share a leaf */
#define REGION_SLOTS 65536u /* regions known at once: 256 GiB of heap */
#define EXACT_SHIFT 3       /* malloc aligns to 16, other allocators' smallest classes to 8 */
#define SAMPLED_SHIFT 12
/* In sampled mode an entry also says where in its page the block starts: a
 * placed block (offset 0) and a large one may have their starts in one page. */
#define OFFSET_BITS 9 /* of 8-byte units in a page */
#define OFFSET_OF(address) ((uint32_t)((address) >> 3) & ((1u << OFFSET_BITS) - 1))

typedef _Atomic(uint32_t) live_entry;

struct region {
    _Atomic(uintptr_t) number; /* address >> REGION_SHIFT; 0 = free. Set once. */
    _Atomic(uintptr_t) leaf;   /* its entries; 0 = not made yet. Set once. */
};

/* All of it is wiped in a forked child. */
struct live_table {
    _Atomic(uint64_t) used; /* bytes of leaves */
    struct region regions[REGION_SLOTS];
};

static _Atomic(uintptr_t) table_address;
static unsigned granule_shift = SAMPLED_SHIFT;
static uint64_t memory_cap;

void live_start(bool exact, uint64_t cap)
{
    granule_shift = exact ? EXACT_SHIFT : SAMPLED_SHIFT;
    memory_cap = cap;
}

static size_t leaf_size(void)
{
    return ((size_t)1 << (REGION_SHIFT - granule_shift)) * sizeof(live_entry);
}

/* Zeroed memory that a forked child gets zeroed again; published in *where
 * unless another thread was faster. What is published, or 0. */
static uintptr_t map_wiped(_Atomic(uintptr_t) *where, size_t size)
{
    void *memory = sys_map_private(size);
    if (!memory)
        return 0;
    sys_call3(SYS_madvise, memory, size, MADV_WIPEONFORK);
    sys_call3(SYS_madvise, memory, size, MADV_DONTDUMP);
    uintptr_t expected = 0;
    if (atomic_compare_exchange_strong(where, &expected, (uintptr_t)memory))
        return (uintptr_t)memory;
    sys_unmap(memory, size);
    return expected;
}

static struct live_table *table_get(bool make)
{
    uintptr_t table = atomic_load_explicit(&table_address, memory_order_acquire);
    if (!table && make)
        table = map_wiped(&table_address, sizeof(struct live_table));
    return (struct live_table *)table;
}

static uintptr_t leaf_make(struct live_table *table, struct region *region)
{
    size_t size = leaf_size();
    if (atomic_fetch_add(&table->used, size) + size > memory_cap) {
        atomic_fetch_sub(&table->used, size);
        return 0;
    }
    return map_wiped(&region->leaf, size);
}

/* The entry for an address; NULL when its region isn't known (and not to be
 * made) or there is no room for it. */
static live_entry *entry_find(uintptr_t address, bool make)
{
    struct live_table *table = table_get(make);
    if (!table)
        return NULL;
    uintptr_t number = address >> REGION_SHIFT;
    /* Neighbouring regions take neighbouring slots; far heaps start elsewhere. */
    uint32_t slot = (uint32_t)(number ^ number >> 13) % REGION_SLOTS;
    for (unsigned probe = 0; probe < 64; probe++, slot = (slot + 1) % REGION_SLOTS) {
        struct region *region = &table->regions[slot];
        uintptr_t seen = atomic_load_explicit(&region->number, memory_order_acquire);
        if (seen == 0) {
            if (!make)
                return NULL;
            if (!atomic_compare_exchange_strong(&region->number, &seen, number) && seen != number)
                continue;
        } else if (seen != number) {
            continue;
        }
        uintptr_t leaf = atomic_load_explicit(&region->leaf, memory_order_acquire);
        if (!leaf && make)
            leaf = leaf_make(table, region);
        if (!leaf)
            return NULL;
        uintptr_t granule = (address & (((uintptr_t)1 << REGION_SHIFT) - 1)) >> granule_shift;
        return (live_entry *)leaf + granule;
    }
    return NULL;
}

uint32_t live_insert(const void *block, uint32_t site)
{
    uintptr_t address = (uintptr_t)block;
    live_entry *entry = entry_find(address, true);
    if (!entry)
        return LIVE_FULL;
    if (granule_shift == EXACT_SHIFT)
        return atomic_exchange_explicit(entry, site, memory_order_relaxed);
    if (site >> (32 - OFFSET_BITS))
        return LIVE_FULL;
    uint32_t seen = atomic_load_explicit(entry, memory_order_relaxed);
    if (seen != 0 && (seen & ((1u << OFFSET_BITS) - 1)) != OFFSET_OF(address))
        return LIVE_FULL; /* the page has another block's entry */
    atomic_store_explicit(entry, site << OFFSET_BITS | OFFSET_OF(address), memory_order_relaxed);
    return seen >> OFFSET_BITS;
}

uint32_t live_remove(const void *block)
{
    uintptr_t address = (uintptr_t)block;
    live_entry *entry = entry_find(address, false);
    if (!entry)
        return 0;
    /* A miss must not write: the entry's cache line may be another thread's. */
    uint32_t seen = atomic_load_explicit(entry, memory_order_relaxed);
    if (seen == 0)
        return 0;
    if (granule_shift == EXACT_SHIFT)
        return atomic_exchange_explicit(entry, 0, memory_order_relaxed);
    if ((seen & ((1u << OFFSET_BITS) - 1)) != OFFSET_OF(address))
        return 0;
    /* Compare: another block's entry may have come since, should a program free twice. */
    return atomic_compare_exchange_strong(entry, &seen, 0) ? seen >> OFFSET_BITS : 0;
}
