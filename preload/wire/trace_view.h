/*
 * Reading the ring of a trace (layout.h), while it is written or afterwards. What is read is not
 * trusted: an event counts if its stamp was the expected one before and after it was copied.
 *
 * Context: AS-safe, no allocation, no lock.
 */
#ifndef LIBPROF_WIRE_TRACE_VIEW_H
#define LIBPROF_WIRE_TRACE_VIEW_H

#include "wire/reader.h"

struct trace_event_view {
    enum ledger_trace_kind kind;
    uint32_t thread; /* index in the ledger; 0 = unknown */
    uint32_t site;   /* 0: none */
    uint64_t value;
    uint64_t ticks;
};

/* The numbers of the events that the ring can still hold: from *first up to and with *last. False:
 * nothing was traced. */
bool trace_view_range(const struct ledger_view *view, uint64_t *first, uint64_t *last);

/* An event by its number. False: it is being written, was overwritten, or was never finished. */
bool trace_view_event(const struct ledger_view *view, uint64_t number,
                      struct trace_event_view *out);

#endif
