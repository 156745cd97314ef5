/*
 * What the ledger says of the heap: counts of each site, bytes in use, their peak.
 *
 * A block of `size` bytes that was sampled stands for 1/p blocks, p = 1 - e^(-size/rate) being the
 * chance that it was. So the sum of size/p over the sampled blocks, all of them or those in use,
 * is an unbiased estimate of the bytes allocated or in use (Horvitz and Thompson, 1952). Its
 * variance is the sum of (size/p)^2 (1-p) over the same blocks, which a reader can compute from
 * the counts alone. A site's key is the size: counts are kept, and weights applied when they are
 * read (wire/weight.c). Only the total in use is weighted here, for the peak.
 *
 * Context: hooks, inside gate_enter, with a ledger.
 */
#ifndef LIBPROF_SAMPLE_HEAP_HEAP_INUSE_H
#define LIBPROF_SAMPLE_HEAP_HEAP_INUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* exact: every allocation is recorded and stands for itself. */
void heap_inuse_start(bool exact);

/* A block of a site was allocated. False: the ledger has no room for its counter; not counted. */
bool heap_inuse_add(uint32_t site, size_t size);

/* A block of a site is gone. temporary: it was freed before its thread's next allocation. */
void heap_inuse_remove(uint32_t site, bool temporary);

/* The thread ends: tells the ledger the bytes that it has not told yet. */
void heap_inuse_thread_end(void);

#endif
