#include "trace/edges.h"

#include <stdlib.h>

#include "base/mem.h"

/* Two processors' reads of the counter, and the way from the unlock to the clock: an unlock that is
 * said to be this much later than the end of the wait may have ended it. */
#define SLACK_NS 2000

#define LOCKS 65536

/* The last two unlocks of a lock: one within the slack may be the next critical section's. */
struct last {
    uint32_t event;
};

void edges_find(struct trace *trace)
{
    struct last *unlocks = mem_alloc(LOCKS * sizeof *unlocks);
    for (size_t n = 0; n < LOCKS; n++)
        unlocks[n].event = TRACE_NONE;
    size_t ahead = 0; /* unlocks up to the slack after the event at hand are noted */
    for (size_t n = 0; n < trace->n_events; n++) {
        struct trace_event *event = &trace->events[n];
        for (; ahead < trace->n_events && trace->events[ahead].end_ns <= event->end_ns + SLACK_NS;
             ahead++)
            if (trace->events[ahead].kind == LEDGER_TRACE_WAKE && trace->events[ahead].lock)
                unlocks[trace->events[ahead].lock % LOCKS].event = (uint32_t)ahead;
        if (event->kind != LEDGER_TRACE_WAIT || !event->lock)
            continue;
        uint32_t by = unlocks[event->lock % LOCKS].event;
        if (by != TRACE_NONE && trace->events[by].thread != event->thread &&
            trace->events[by].end_ns >= event->begin_ns)
            event->woken_by = by;
    }
    free(unlocks);
}
