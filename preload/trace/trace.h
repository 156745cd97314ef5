/*
 * What happened when: a ring of events in the ledger, which a reader outside may read at any time,
 * also after the process was killed. Written only while header->trace_armed is set, and only for
 * events that are recorded in a profile anyway: an event costs some tens of nanoseconds then, and
 * one load where it is not.
 *
 * Context: hooks and handlers, with a ledger. Lock-free, AS-safe.
 */
#ifndef LIBPROF_TRACE_TRACE_H
#define LIBPROF_TRACE_TRACE_H

#include "kit/ticks.h"
#include "ledger/memory.h"
#include "wire/layout.h"
#include <stdbool.h>
#include <stdint.h>

/* Is a trace wanted now? */
static inline bool trace_armed(void)
{
    return ledger_exists() && atomic_load_explicit(&ledger->trace_armed, memory_order_relaxed) != 0;
}

/* Writes one event. thread: its index in the ledger, 0 = unknown; ticks: when, or when it ended. */
void trace_write(enum ledger_trace_kind kind, uint32_t thread, uint32_t site, uint64_t value,
                 uint64_t ticks);

/* The same, if a trace is wanted, as of now. */
static inline void trace_note(enum ledger_trace_kind kind, uint32_t thread, uint32_t site,
                              uint64_t value)
{
    if (__builtin_expect(trace_armed(), 0))
        trace_write(kind, thread, site, value, ticks_now());
}

#endif
