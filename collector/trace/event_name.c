#include "trace/event_name.h"

#include <stdbool.h>
#include <stdio.h>

static bool is_about_lock(enum ledger_trace_kind kind)
{
    return kind == LEDGER_TRACE_WAIT || kind == LEDGER_TRACE_WAKE;
}

/* The innermost function of the program's own: the leaf of a wait is the lock's function. */
static const char *function_of(const struct trace *trace, const struct trace_event *event)
{
    if (event->stack == TRACE_NONE)
        return "";
    const struct profile_sample *sample = trace->stacks->samples[event->stack];
    for (size_t n = is_about_lock(event->kind); n < sample->n_locations; n++)
        if (sample->locations[n]->n_lines)
            return sample->locations[n]->lines[0].function->name;
    return "";
}

const char *trace_event_name(const struct trace *trace, const struct trace_event *event,
                             char *buffer)
{
    static const char *const words[LEDGER_TRACE_KINDS] = {
        [LEDGER_TRACE_CPU] = "CPU sample",
        [LEDGER_TRACE_WAIT] = "wait",
        [LEDGER_TRACE_WAKE] = "unlock",
        [LEDGER_TRACE_ALLOC] = "allocation (sampled)",
        [LEDGER_TRACE_FREE] = "free (sampled)",
        [LEDGER_TRACE_CREATE] = "creates a thread",
        [LEDGER_TRACE_THREAD_BEGIN] = "thread begins",
        [LEDGER_TRACE_THREAD_END] = "thread ends",
    };
    const char *function = function_of(trace, event), *lock = "";
    if (is_about_lock(event->kind) && event->stack != TRACE_NONE)
        lock = trace->stacks->samples[event->stack]->labels[0].str;
    snprintf(buffer, TRACE_NAME, "%s%s%s%s%s", words[event->kind], *lock ? ": " : "", lock,
             *function ? " in " : "", function);
    return buffer;
}
