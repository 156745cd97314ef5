/*
 * Lock waits that are still going on: a snapshot's block profile counts them as long as they have
 * lasted. Otherwise a program that is deadlocked would have an empty one.
 */
#ifndef LIBPROF_WIRE_WAITS_H
#define LIBPROF_WIRE_WAITS_H

#include "kit/arena.h"
#include "wire/reader.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct waits {
    size_t count;
    struct wait {
        uint32_t site;
        uint64_t ns; /* so far */
    } list[];
};

/*
 * The waits of living threads that have lasted for header->block_rate_ns at least. Shorter ones
 * may end unrecorded, and a later snapshot must never have less. now_mono_ns: CLOCK_MONOTONIC. NULL
 * when there are none, or no memory. The result is the arena's.
 */
const struct waits *waits_collect(struct arena *arena, const struct ledger_view *view,
                                  uint64_t now_mono_ns);

/* Adds the waits at a block site to its counts. waits: may be NULL. */
void waits_add(const struct waits *waits, uint32_t site, struct ledger_site_view *to);

/* Does any thread wait? */
bool waits_any(const struct ledger_view *view);

#endif
