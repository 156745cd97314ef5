/*
 * What every event touches: the counter of its site, and the key it was entered with. Inline,
 * for exact mode asks for both at each allocation and each free.
 */
#ifndef LIBPROF_LEDGER_COUNTER_H
#define LIBPROF_LEDGER_COUNTER_H

#include "ledger/memory.h"

/* The counter of a site in a plane; NULL when its memory can't be had. */
static inline struct ledger_counter *ledger_counter(unsigned plane, uint32_t site)
{
    enum ledger_section_id section = LEDGER_COUNTERS + plane;
    uint64_t offset = site * sizeof(struct ledger_counter);
    if (!memory_reserve(section, offset + sizeof(struct ledger_counter)))
        return NULL;
    return memory_at(section, offset);
}

/* site: as ledger_site gave it. */
static inline uint64_t ledger_site_key(uint32_t site)
{
    return ((const struct ledger_site *)memory_at(LEDGER_SITES, 0))[site].key;
}

#endif
