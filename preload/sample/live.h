/*
 * Which sampled blocks are alive: address -> site.
 *
 * A shadow of the heap instead of a hash table: 4 MiB regions of address space,
 * each with a leaf of 32-bit site numbers, one for each granule. In exact mode a
 * granule is 8 bytes (no two blocks start in one); in sampled mode a page,
 * because sampled blocks are placed on pages of their own. An entry lies next to its
 * neighbours' in the heap, so it shares their cache locality; it needs no probing, no
 * growth, no tombstones, and each access is one atomic word that only the
 * block's owner touches.
 *
 * Memory: at most half of the heap in exact mode, 1/1024 in sampled mode; wiped
 * in forked children, whose blocks are their parent's, not theirs. Capped.
 *
 * Context: hooks. Lock-free, no allocation but raw mmap.
 */
#ifndef LIBPROF_SAMPLE_LIVE_H
#define LIBPROF_SAMPLE_LIVE_H

#include <stdbool.h>
#include <stdint.h>

/* Chooses the granule; the table is made at the first insertion. cap: bytes. */
void live_start(bool exact, uint64_t cap);

/*
 * Enters a block that its thread is about to hand out. site: not 0. Returns the
 * site of a block that was entered here before and whose free nobody saw (0:
 * none), or LIVE_FULL when the block can't be followed.
 */
#define LIVE_FULL UINT32_MAX
uint32_t live_insert(const void *block, uint32_t site);

/* Takes a block out: its site, or 0 when it isn't there. */
uint32_t live_remove(const void *block);

#endif
