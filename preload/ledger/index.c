#include "ledger/index.h"
#include "ledger/memory.h"

#define SLOT_TAG(hash) ((hash) & ~UINT64_C(0xffffffff))

uint64_t index_size(uint64_t entries)
{
    uint64_t slots = 0, level = LEDGER_INDEX_FIRST;
    for (unsigned n = 0; n < LEDGER_INDEX_LEVELS; n++, level *= LEDGER_INDEX_GROWTH) {
        slots += level;
        if (slots >= 8 * entries) /* windows differ in fill: at 1/4 one in 4000 is full */
            break;
    }
    return slots * sizeof(ledger_slot);
}

uint32_t index_find(enum ledger_section_id section, uint64_t hash, index_match *match,
                    const void *key, ledger_slot **slot)
{
    struct ledger_section *s = &ledger->sections[section];
    unsigned char *base = (unsigned char *)ledger + s->offset;
    uint64_t start = 0, slots = LEDGER_INDEX_FIRST;
    *slot = NULL;
    for (;;) {
        uint64_t end = start + slots * sizeof(ledger_slot);
        if (end > s->size || !memory_reserve(section, end))
            return 0;
        uint64_t position = hash & (slots - 1) & ~(uint64_t)(LEDGER_INDEX_WINDOW - 1);
        ledger_slot *window = (ledger_slot *)(void *)(base + start) + position;
        for (unsigned i = 0; i < LEDGER_INDEX_WINDOW; i++) {
            uint64_t entry = atomic_load_explicit(&window[i], memory_order_acquire);
            if (entry == 0) {
                *slot = &window[i];
                return 0;
            }
            if (SLOT_TAG(entry) == SLOT_TAG(hash) && match((uint32_t)entry, key))
                return (uint32_t)entry;
        }
        start = end;
        slots *= LEDGER_INDEX_GROWTH;
    }
}

bool index_store(ledger_slot *slot, uint64_t hash, uint32_t reference)
{
    uint64_t expected = 0;
    return atomic_compare_exchange_strong_explicit(slot, &expected, SLOT_TAG(hash) | reference,
                                                   memory_order_acq_rel, memory_order_relaxed);
}
