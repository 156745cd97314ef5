/*
 * hash -> reference, append-only and lock-free, inside a ledger section.
 *
 * Levels of LEDGER_INDEX_FIRST * GROWTH^n slots. On each level a hash has one
 * window of slots, a cache line. An insertion takes the first free slot of the
 * first level whose window has one; nothing is ever removed; so a search that
 * meets a free slot knows that the key isn't there. Memory follows the fill (a
 * single table as large as the cap would be touched all over by the first few
 * thousand entries), and early, hot entries are found with one probe.
 *
 * Context: AS-safe.
 */
#ifndef LIBPROF_LEDGER_INDEX_H
#define LIBPROF_LEDGER_INDEX_H

#include "wire/layout.h"
#include <stdbool.h>
#include <stddef.h>

/* Bytes of a section whose levels hold `entries` before one finds no place. */
uint64_t index_size(uint64_t entries);

/* Is the entry that `reference` names the one looked for? */
typedef bool index_match(uint32_t reference, const void *key);

/*
 * The reference stored for the key, or 0 with *slot set to where it belongs
 * (NULL when every level is full or has no memory).
 */
uint32_t index_find(enum ledger_section_id section, uint64_t hash, index_match *match,
                    const void *key, ledger_slot **slot);

/* Stores a reference in the slot that index_find gave. False when another
 * thread took the slot first: find again. */
bool index_store(ledger_slot *slot, uint64_t hash, uint32_t reference);

#endif
