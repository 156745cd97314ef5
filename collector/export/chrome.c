/*
 * Chrome's trace events, for chrome://tracing, Perfetto and whatever reads them. A
 * profile has no time line; the flame graph is laid out as one: an event's duration is
 * its inclusive value (nanoseconds are themselves, every other unit counts as
 * microseconds), its start is where its place in the flame graph begins.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export/format.h"
#include "export/tree.h"

/* The format's unit is the microsecond, as a decimal fraction. */
static void put_time(struct writer *w, int64_t value, bool is_nanoseconds)
{
    if (!is_nanoseconds)
        writer_put_int(w, value);
    else
        writer_printf(w, "%lld.%03lld", (long long)(value / 1000), (long long)(value % 1000));
}

static void put_thread(struct writer *w, const struct profile *p,
                       const struct export_options *options)
{
    const struct profile_value_type *type = &p->sample_types[options->type];
    char *title = export_title(p, options);
    writer_put(w, "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"args\":{\"name\":");
    writer_put_json(w, title);
    writer_put(w, "}},\n{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":1,\"args\":"
                  "{\"name\":");
    char *name = mem_printf("%s (%s)", type->type, type->unit);
    writer_put_json(w, name);
    writer_put(w, "}}");
    free(name);
    free(title);
}

static void put_events(struct writer *w, const struct tree *t, size_t type, bool is_nanoseconds)
{
    /* By node: where its next child begins. */
    int64_t *next = mem_zero(t->n, sizeof(*next));
    for (size_t i = 1; i < t->n; i++) {
        const struct tree_node *node = &t->nodes[i];
        const struct frame *frame = &t->frames->list[node->frame];
        int64_t total = t->total[i * t->n_types + type], start = next[node->parent];
        if (!total)
            continue;
        next[i] = start;
        next[node->parent] = export_add(start, total);
        writer_put(w, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"name\":");
        writer_put_json(w, frame->name);
        writer_put(w, ",\"cat\":");
        writer_put_json(w, *frame->object ? frames_base_name(frame->object) : "unknown");
        writer_put(w, ",\"ts\":");
        put_time(w, start, is_nanoseconds);
        writer_put(w, ",\"dur\":");
        put_time(w, total, is_nanoseconds);
        writer_put(w, ",\"args\":{\"self\":");
        writer_put_int(w, t->self[i * t->n_types + type]);
        writer_put(w, "}}");
    }
    free(next);
}

bool chrome_write(struct writer *out, const struct profile *p, const struct export_options *options,
                  struct error *err)
{
    size_t type = (size_t)options->type;
    if (export_is_diff(p))
        return fail_with(err, "a comparison does not fit into the chrome format; use json, "
                              "svg, html or folded");
    if (!export_check_positive(p, options->type, "chrome", err))
        return false;
    bool is_nanoseconds = strcmp(p->sample_types[type].unit, "nanoseconds") == 0;
    struct tree *t = tree_new(p);
    writer_put(out, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
    put_thread(out, p, options);
    put_events(out, t, type, is_nanoseconds);
    writer_put(out, "]}\n");
    tree_free(t);
    return true;
}
