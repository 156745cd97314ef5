#include "wire/trace_view.h"

#define THREAD_BITS 24

/* The header's word is a claim: what the section holds is the bound. */
static uint64_t capacity(const struct ledger_view *view)
{
    uint64_t claimed = view->header->trace_capacity;
    uint64_t room = view->sections[LEDGER_TRACE].size / sizeof(struct ledger_trace);
    return claimed < room ? claimed : room;
}

bool trace_view_range(const struct ledger_view *view, uint64_t *first, uint64_t *last)
{
    uint64_t events = capacity(view);
    *last = atomic_load_explicit(&view->header->trace_next, memory_order_acquire);
    *first = *last > events ? *last - events + 1 : 1;
    return events && *last > 0;
}

bool trace_view_event(const struct ledger_view *view, uint64_t number, struct trace_event_view *out)
{
    uint64_t events = capacity(view);
    if (!number || !events)
        return false;
    uint64_t offset = (number - 1) % events * sizeof(struct ledger_trace);
    /* a place that was never reserved is a hole, and reading it would fill it */
    if (offset + sizeof(struct ledger_trace) >
        atomic_load_explicit(&view->header->sections[LEDGER_TRACE].reserved, memory_order_relaxed))
        return false;
    const struct ledger_trace *event =
        (const void *)(view->base + view->sections[LEDGER_TRACE].offset + offset);
    if (atomic_load_explicit(&event->stamp, memory_order_acquire) != number)
        return false;
    uint64_t ticks = *(const volatile uint64_t *)&event->ticks;
    uint64_t value = *(const volatile uint64_t *)&event->value;
    uint32_t site = *(const volatile uint32_t *)&event->site;
    uint32_t thread = *(const volatile uint32_t *)&event->thread;
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&event->stamp, memory_order_relaxed) != number)
        return false;
    *out = (struct trace_event_view){thread >> THREAD_BITS, thread & ((1u << THREAD_BITS) - 1),
                                     site, value, ticks};
    return out->kind > 0 && out->kind < LEDGER_TRACE_KINDS;
}
