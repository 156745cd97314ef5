#include "sample/heap/live_sampled.h"
#include "kit/mappings.h"
#include "kit/sections.h"
#include "kit/sys.h"
#include "sample/heap/live.h"

#include <stdatomic.h>
#include <stddef.h>

#define BUCKET_SLOTS 8
#define FIRST_BITS 7 /* buckets of the first level: 16 KiB */
#define LEVEL_BITS 2
#define LEVELS 9 /* the last level alone has 67 million slots */

struct slot {
    _Atomic(uintptr_t) block; /* 0 = free */
    _Atomic(uint32_t) site;   /* written by the block's owner */
};

struct bucket {
    _Alignas(64) struct slot slots[BUCKET_SLOTS];
};

static COLD_TABLE struct {
    struct bucket *_Atomic levels[LEVELS];
    _Atomic(uint64_t) used; /* bytes */
} table;

static size_t level_size(unsigned level)
{
    return sizeof(struct bucket) << (FIRST_BITS + level * LEVEL_BITS);
}

/* The block's bucket on a level; NULL when the level does not exist. */
static struct bucket *bucket_of(const void *block, unsigned level)
{
    struct bucket *buckets = atomic_load_explicit(&table.levels[level], memory_order_acquire);
    /* Fibonacci hashing (Knuth, vol. 3, 6.4); the shift mixes what regions differ in. */
    uint64_t key = (uintptr_t)block ^ (uintptr_t)block >> 21;
    uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
    return buckets ? buckets + (hash >> (64 - FIRST_BITS - level * LEVEL_BITS)) : NULL;
}

static struct slot *find(const void *block)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        struct bucket *bucket = bucket_of(block, level);
        if (!bucket)
            break;
        for (unsigned n = 0; n < BUCKET_SLOTS; n++)
            if (atomic_load_explicit(&bucket->slots[n].block, memory_order_acquire) ==
                (uintptr_t)block)
                return &bucket->slots[n];
    }
    return NULL;
}

static struct bucket *level_make(const void *block, unsigned level)
{
    size_t size = level_size(level);
    struct bucket *before = NULL, *mine = NULL;
    if (atomic_fetch_add(&table.used, size) + size <= live_cap)
        mine = live_map_wiped(size);
    if (mine && atomic_compare_exchange_strong(&table.levels[level], &before, mine))
        return bucket_of(block, level);
    atomic_fetch_sub(&table.used, size);
    if (mine)
        mappings_unmap(mine, size); /* another thread was faster */
    return bucket_of(block, level);
}

/* A slot that is the block's from now on; NULL: no room. */
static struct slot *claim(const void *block)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        struct bucket *bucket = bucket_of(block, level);
        if (!bucket && !(bucket = level_make(block, level)))
            return NULL;
        for (unsigned n = 0; n < BUCKET_SLOTS; n++) {
            struct slot *slot = &bucket->slots[n];
            uintptr_t seen = atomic_load_explicit(&slot->block, memory_order_relaxed);
            if (seen == 0 && atomic_compare_exchange_strong(&slot->block, &seen, (uintptr_t)block))
                return slot;
        }
    }
    return NULL;
}

uint32_t live_sampled_insert(const void *block, uint32_t site)
{
    struct slot *slot = find(block);
    uint32_t stale = slot ? atomic_load_explicit(&slot->site, memory_order_relaxed) : 0;
    if (!slot)
        slot = claim(block);
    if (!slot)
        return LIVE_FULL;
    atomic_store_explicit(&slot->site, site, memory_order_release);
    return stale;
}

bool live_sampled_has(const void *block)
{
    return block && find(block);
}

uint32_t live_sampled_remove(const void *block)
{
    struct slot *slot = block ? find(block) : NULL;
    if (!slot)
        return 0;
    uint32_t site = atomic_load_explicit(&slot->site, memory_order_acquire);
    /* Compare: a program that frees twice may do so in two threads. */
    uintptr_t seen = (uintptr_t)block;
    return atomic_compare_exchange_strong(&slot->block, &seen, 0) ? site : 0;
}

void live_sampled_forget(void)
{
    for (unsigned level = 0; level < LEVELS; level++)
        atomic_store(&table.levels[level], NULL);
    atomic_store(&table.used, 0);
}
