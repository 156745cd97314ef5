/* The trace as JSON: Chrome's trace events, and a plain form for programs. */
#include <stdlib.h>

#include "export/writer.h"
#include "trace/event_name.h"
#include "trace/trace_json.h"

/* Chrome's unit is the microsecond, as a decimal fraction; times begin with the window. */
static void put_microseconds(struct writer *w, int64_t ns)
{
    writer_printf(w, "%lld.%03lld", (long long)(ns / 1000), (long long)(ns % 1000));
}

/* "[\"parse\",\"main\"]", innermost first. */
static void put_stack(struct writer *w, const struct trace *trace, uint32_t stack)
{
    bool any = false;
    writer_put_char(w, '[');
    const struct profile_sample *sample =
        stack == TRACE_NONE ? NULL : trace->stacks->samples[stack];
    for (size_t n = 0; sample && n < sample->n_locations; n++)
        for (size_t line = 0; line < sample->locations[n]->n_lines; line++) {
            if (any)
                writer_put_char(w, ',');
            any = true;
            writer_put_json(w, sample->locations[n]->lines[line].function->name);
        }
    writer_put_char(w, ']');
}

static void put_chrome_event(struct writer *w, const struct trace *trace, size_t number)
{
    const struct trace_event *event = &trace->events[number];
    char name[TRACE_NAME];
    bool waits = event->kind == LEDGER_TRACE_WAIT;
    writer_printf(w, ",\n{\"ph\":\"%s\",\"pid\":%u,\"tid\":%u,\"name\":", waits ? "X" : "i",
                  trace->pid, trace->threads[event->thread].tid);
    writer_put_json(w, trace_event_name(trace, event, name));
    writer_put(w, ",\"ts\":");
    put_microseconds(w, event->begin_ns - trace->from_ns);
    if (waits) {
        writer_put(w, ",\"dur\":");
        put_microseconds(w, event->end_ns - event->begin_ns);
    } else {
        writer_put(w, ",\"s\":\"t\"");
    }
    writer_put(w, ",\"args\":{\"value\":");
    writer_put_uint(w, event->value);
    writer_put(w, ",\"stack\":");
    put_stack(w, trace, event->stack);
    writer_put(w, "}}");
    if (event->woken_by == TRACE_NONE)
        return;
    const struct trace_event *by = &trace->events[event->woken_by];
    writer_printf(w,
                  ",\n{\"ph\":\"s\",\"id\":%zu,\"name\":\"wakes\",\"cat\":\"lock\",\"pid\":%u,"
                  "\"tid\":%u,\"ts\":",
                  number, trace->pid, trace->threads[by->thread].tid);
    put_microseconds(w, by->end_ns - trace->from_ns);
    writer_printf(w,
                  "},\n{\"ph\":\"f\",\"bp\":\"e\",\"id\":%zu,\"name\":\"wakes\",\"cat\":\"lock\","
                  "\"pid\":%u,\"tid\":%u,\"ts\":",
                  number, trace->pid, trace->threads[event->thread].tid);
    put_microseconds(w, event->end_ns - trace->from_ns);
    writer_put_char(w, '}');
}

void *trace_encode_chrome(const struct trace *trace, size_t *size)
{
    struct writer w = {0};
    writer_printf(&w,
                  "{\"traceEvents\":[\n{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%u,"
                  "\"args\":{\"name\":",
                  trace->pid);
    writer_put_json(&w, trace->program);
    writer_put(&w, "}}");
    for (size_t n = 0; n < trace->n_threads; n++) {
        writer_printf(&w,
                      ",\n{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%u,\"tid\":%u,\"args\":"
                      "{\"name\":",
                      trace->pid, trace->threads[n].tid);
        writer_put_json(&w, trace->threads[n].name);
        writer_put(&w, "}}");
    }
    for (size_t n = 0; n < trace->n_events; n++)
        put_chrome_event(&w, trace, n);
    writer_put(&w, "\n]}\n");
    *size = w.size;
    return w.data;
}

void *trace_encode_json(const struct trace *trace, size_t *size)
{
    static const char *const kinds[LEDGER_TRACE_KINDS] = {
        [LEDGER_TRACE_CPU] = "cpu",
        [LEDGER_TRACE_WAIT] = "wait",
        [LEDGER_TRACE_WAKE] = "unlock",
        [LEDGER_TRACE_ALLOC] = "alloc",
        [LEDGER_TRACE_FREE] = "free",
        [LEDGER_TRACE_CREATE] = "create",
        [LEDGER_TRACE_THREAD_BEGIN] = "thread begin",
        [LEDGER_TRACE_THREAD_END] = "thread end",
    };
    struct writer w = {0};
    writer_put(&w, "{\"schema\":\"libprof-trace-1\",\"program\":");
    writer_put_json(&w, trace->program);
    writer_printf(&w, ",\"pid\":%u,\"from_ns\":%lld,\"to_ns\":%lld,\"lost\":%llu,\"threads\":[",
                  trace->pid, (long long)trace->from_ns, (long long)trace->to_ns,
                  (unsigned long long)trace->lost);
    for (size_t n = 0; n < trace->n_threads; n++) {
        writer_printf(&w, "%s{\"tid\":%u,\"name\":", n ? "," : "", trace->threads[n].tid);
        writer_put_json(&w, trace->threads[n].name);
        writer_put_char(&w, '}');
    }
    writer_put(&w, "],\"stacks\":[");
    for (size_t n = 0; n < trace->stacks->n_samples; n++) {
        writer_put(&w, n ? ",\n" : "\n");
        put_stack(&w, trace, (uint32_t)n);
    }
    writer_put(&w, "],\"events\":[");
    for (size_t n = 0; n < trace->n_events; n++) {
        const struct trace_event *event = &trace->events[n];
        writer_printf(&w,
                      "%s\n{\"kind\":\"%s\",\"thread\":%u,\"begin_ns\":%lld,\"end_ns\":%lld,"
                      "\"value\":%llu",
                      n ? "," : "", kinds[event->kind], event->thread, (long long)event->begin_ns,
                      (long long)event->end_ns, (unsigned long long)event->value);
        if (event->stack != TRACE_NONE)
            writer_printf(&w, ",\"stack\":%u", event->stack);
        if (event->woken_by != TRACE_NONE)
            writer_printf(&w, ",\"woken_by\":%u", event->woken_by);
        writer_put_char(&w, '}');
    }
    writer_put(&w, "\n]}\n");
    *size = w.size;
    return w.data;
}
