/*
 * Sampled mode: which blocks are tracked, address -> site. The exact answer behind
 * heap_filter.h; asked when a block is sampled, when a tracked one is freed, and when the filter
 * was wrong.
 *
 * Levels of open addressing, each four times as large as the one before. An address has one bucket
 * of eight slots on each level, two cache lines. A block takes the first free slot of its buckets;
 * its removal frees the slot. A look-up reads the buckets on all levels that exist, so there is
 * nothing to move, and no tombstone. The next level is mapped when a block finds its buckets full.
 *
 * Memory: 16 bytes a slot; a level is some 40 % full when the first bucket overflows. Private, not
 * part of the ledger: readers need only the counters. Wiped in forked children, whose blocks are
 * their parent's. Capped by live_cap (live.h).
 *
 * Concurrency: an address belongs to one thread from the moment the allocator gives it until the
 * real free, so only different addresses race, for a free slot, and that is one compare and
 * exchange. The caller sees to it that a block leaves the table before its real free.
 *
 * Context: hooks. Lock-free, no allocation but raw mmap.
 */
#ifndef LIBPROF_SAMPLE_HEAP_LIVE_SAMPLED_H
#define LIBPROF_SAMPLE_HEAP_LIVE_SAMPLED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Enters a block that its thread is about to hand out. site: not 0. Returns what live_insert
 * returns (live.h): 0, the site of a block that was entered here before and whose free nobody saw,
 * or LIVE_FULL.
 */
uint32_t live_sampled_insert(const void *block, uint32_t site);

/* Is it in the table? */
bool live_sampled_has(const void *block);

/* Takes a block out: its site, or 0 when it is not there. */
uint32_t live_sampled_remove(const void *block);

/* Leaves the table behind: a forked child's, where the kernel did not wipe it. */
void live_sampled_forget(void);

#endif
