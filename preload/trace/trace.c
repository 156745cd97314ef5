#include "trace/trace.h"

#define THREAD_BITS 24

void trace_write(enum ledger_trace_kind kind, uint32_t thread, uint32_t site, uint64_t value,
                 uint64_t ticks)
{
    uint64_t capacity = ledger->trace_capacity;
    if (!capacity)
        return;
    uint64_t number = atomic_fetch_add_explicit(&ledger->trace_next, 1, memory_order_relaxed) + 1;
    uint64_t offset = (number - 1) % capacity * sizeof(struct ledger_trace);
    if (!memory_reserve(LEDGER_TRACE, offset + sizeof(struct ledger_trace)))
        return; /* the number stays unused: a reader counts it as lost */
    struct ledger_trace *event = memory_at(LEDGER_TRACE, offset);
    atomic_store_explicit(&event->stamp, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* the stamp is gone before the fields change */
    event->ticks = ticks;
    event->value = value;
    event->site = site;
    event->thread = (thread & ((1u << THREAD_BITS) - 1)) | (uint32_t)kind << THREAD_BITS;
    atomic_store_explicit(&event->stamp, number, memory_order_release);
}
