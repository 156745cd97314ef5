/*
 * Sites found lately: hash -> site, in front of the index, whose levels take a cache
 * miss each once a program has thousands of stacks. Used in exact mode, where every
 * allocation asks; where samples are rare it would only touch pages.
 *
 * Direct-mapped, lock-free, fixed size. An entry is two words written without a lock, the
 * site and the hash mixed with it: halves of two writes give a hash that nobody asks for.
 *
 * Context: AS-safe, wait-free; recent_forget: one thread, as ledger_create.
 */
#ifndef LIBPROF_LEDGER_RECENT_H
#define LIBPROF_LEDGER_RECENT_H

#include <stdatomic.h>
#include <stdint.h>

#define RECENT_ENTRIES 32768u /* 512 KiB; cc1 -O2 has 36,000 sites in a second */

struct recent_entry {
    _Atomic(uint64_t) site;
    _Atomic(uint64_t) tag; /* the site's hash ^ recent_mix(site) */
};

extern struct recent_entry recent_entries[RECENT_ENTRIES] __attribute__((visibility("hidden")));

static inline uint64_t recent_mix(uint64_t site)
{
    return site * UINT64_C(0x9e3779b97f4a7c15);
}

/* The site of this hash, or 0. */
static inline uint32_t recent_find(uint64_t hash)
{
    const struct recent_entry *entry = &recent_entries[hash % RECENT_ENTRIES];
    /* acquire: what another thread wrote of a site that it made is seen with it */
    uint64_t tag = atomic_load_explicit(&entry->tag, memory_order_acquire);
    uint64_t site = atomic_load_explicit(&entry->site, memory_order_relaxed);
    return (tag ^ recent_mix(site)) == hash ? (uint32_t)site : 0;
}

/* site: not 0. */
static inline void recent_enter(uint64_t hash, uint32_t site)
{
    struct recent_entry *entry = &recent_entries[hash % RECENT_ENTRIES];
    atomic_store_explicit(&entry->site, site, memory_order_relaxed);
    atomic_store_explicit(&entry->tag, hash ^ recent_mix(site), memory_order_release);
}

/* A new ledger numbers its sites anew. */
void recent_forget(void);

#endif
