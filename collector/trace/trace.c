#include "trace/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "kit/ticks.h"
#include "trace/edges.h"
#include "wire/frame.h"
#include "wire/trace_view.h"

/* From the processor's counter to CLOCK_MONOTONIC: a line through two pairs of both. */
struct clock_map {
    uint64_t ticks;
    int64_t ns;
    double rate; /* ns a tick */
};

static struct clock_map map_clock(const struct ledger_header *header)
{
    struct clock_map map = {header->start_ticks, (int64_t)header->start_mono_ns, 0};
    uint64_t before = ticks_now();
    int64_t ns = clock_monotonic();
    uint64_t ticks = before + (ticks_now() - before) / 2;
    if (ticks > map.ticks)
        map.rate = (double)(ns - map.ns) / (double)(ticks - map.ticks);
    return map;
}

static int64_t to_ns(const struct clock_map *map, uint64_t ticks)
{
    return map->ns + (int64_t)((double)(int64_t)(ticks - map->ticks) * map->rate);
}

/* A frame that has its location. */
struct placed {
    UT_hash_handle hh;
    uint64_t frame;
    struct profile_location *location;
};

/* What is known of a table's entries while the trace is read: where each stands in the trace. */
struct tables {
    uint32_t *threads; /* by the ledger's index; TRACE_NONE: not met */
    size_t n_threads;
    uint32_t *sites;
    size_t n_sites;
    struct profile_mapping **modules;
    size_t n_modules;
    struct placed *placed; /* by frame */
};

static uint32_t *make_table(size_t n)
{
    uint32_t *table = mem_alloc((n + 1) * sizeof *table);
    memset(table, 0xff, (n + 1) * sizeof *table);
    return table;
}

static struct profile_mapping *find_module(struct trace *trace, const struct ledger_view *view,
                                           struct tables *tables, unsigned module)
{
    struct ledger_module_view found;
    char build_id[2 * sizeof found.build_id + 1] = "";
    if (!module || module >= tables->n_modules)
        return NULL;
    if (tables->modules[module] || !ledger_view_module(view, module, &found))
        return tables->modules[module];
    for (unsigned i = 0; i < found.build_id_size; i++)
        snprintf(build_id + 2 * i, 3, "%02x", found.build_id[i]);
    struct profile_mapping *mapping = profile_add_mapping(trace->stacks);
    mapping->start = found.start;
    mapping->limit = found.limit;
    mapping->offset = found.file_offset;
    mapping->file = profile_intern(trace->stacks, found.path);
    mapping->build_id = profile_intern(trace->stacks, build_id);
    return tables->modules[module] = mapping;
}

static struct profile_location *find_location(struct trace *trace, const struct ledger_view *view,
                                              struct tables *tables, uint64_t frame)
{
    struct placed *placed;
    HASH_FIND(hh, tables->placed, &frame, sizeof frame, placed);
    if (!placed) {
        placed = mem_zero(1, sizeof *placed);
        placed->frame = frame;
        placed->location = profile_add_location(
            trace->stacks, find_module(trace, view, tables, UNWIND_MODULE(frame)),
            UNWIND_ADDRESS(frame), 0);
        HASH_ADD(hh, tables->placed, frame, sizeof placed->frame, placed);
    }
    return placed->location;
}

static const char *lock_label(uint64_t key)
{
    static const char *const labels[] = {"",
#define LOCK_LABEL(name, label) label,
                                         LEDGER_LOCKS(LOCK_LABEL)
#undef LOCK_LABEL
    };
    return key < sizeof labels / sizeof *labels ? labels[key] : "";
}

/* The sample for a site's stack; TRACE_NONE: it cannot be read. */
static uint32_t find_stack(struct trace *trace, const struct ledger_view *view,
                           struct tables *tables, uint32_t site)
{
    struct ledger_site_view found;
    struct ledger_stack_view stack;
    if (!site || site >= tables->n_sites)
        return TRACE_NONE;
    if (tables->sites[site] != TRACE_NONE)
        return tables->sites[site];
    if (!ledger_view_site(view, site, &found) || !ledger_view_stack(view, found.stack, &stack))
        return TRACE_NONE;
    struct profile *p = trace->stacks;
    bool is_lock = found.kind == LEDGER_KIND_BLOCK || found.kind == LEDGER_KIND_MUTEX;
    struct profile_sample *sample = profile_add_sample(p, stack.depth, is_lock);
    if (is_lock)
        sample->labels[0] = (struct profile_label){.key = profile_intern(p, "lock"),
                                                   .str = profile_intern(p, lock_label(found.key)),
                                                   .unit = profile_intern(p, "")};
    for (uint32_t n = 0; n < stack.depth; n++)
        sample->locations[n] =
            find_location(trace, view, tables, *(const volatile uint64_t *)&stack.frames[n]);
    return tables->sites[site] = (uint32_t)(p->n_samples - 1);
}

static uint32_t find_thread(struct trace *trace, const struct ledger_view *view,
                            struct tables *tables, uint32_t thread)
{
    struct ledger_thread_view found;
    if (thread >= tables->n_threads)
        thread = 0;
    if (tables->threads[thread] != TRACE_NONE)
        return tables->threads[thread];
    trace->threads =
        mem_grow(trace->threads, trace->n_threads, &trace->cap_threads, sizeof *trace->threads);
    struct trace_thread *entry = &trace->threads[trace->n_threads];
    *entry = (struct trace_thread){.tid = 0, .name = "unknown thread"};
    if (thread && ledger_view_thread(view, thread, &found)) {
        entry->tid = found.tid;
        memcpy(entry->name, found.name, sizeof entry->name);
        entry->name[sizeof entry->name - 1] = '\0';
    }
    return tables->threads[thread] = (uint32_t)trace->n_threads++;
}

static bool is_about_lock(enum ledger_trace_kind kind)
{
    return kind == LEDGER_TRACE_WAIT || kind == LEDGER_TRACE_WAKE;
}

static void add_event(struct trace *trace, const struct ledger_view *view, struct tables *tables,
                      const struct trace_event_view *from, int64_t end_ns)
{
    trace->events =
        mem_grow(trace->events, trace->n_events, &trace->cap_events, sizeof *trace->events);
    struct trace_event *event = &trace->events[trace->n_events++];
    *event = (struct trace_event){
        .begin_ns = end_ns,
        .end_ns = end_ns,
        .kind = from->kind,
        .thread = find_thread(trace, view, tables, from->thread),
        .stack = find_stack(trace, view, tables, from->site),
        .woken_by = TRACE_NONE,
        .value = from->value,
    };
    if (is_about_lock(from->kind)) {
        event->lock = (uint32_t)(from->value >> LEDGER_TRACE_LOCK_SHIFT);
        event->value = LEDGER_TRACE_NS(from->value);
    }
    if (from->kind == LEDGER_TRACE_WAIT)
        event->begin_ns = end_ns - (int64_t)event->value;
}

static int compare_events(const void *a, const void *b)
{
    const struct trace_event *x = a, *y = b;
    return (x->end_ns > y->end_ns) - (x->end_ns < y->end_ns);
}

static void read_events(struct trace *trace, const struct ledger_view *view, struct tables *tables)
{
    uint64_t first, last;
    struct trace_event_view event;
    struct clock_map map = map_clock(view->header);
    if (!trace_view_range(view, &first, &last))
        return;
    for (uint64_t number = first; number <= last; number++) {
        if (!trace_view_event(view, number, &event)) {
            trace->lost++;
            continue;
        }
        int64_t ns = to_ns(&map, event.ticks);
        if (ns >= trace->from_ns && ns <= trace->to_ns)
            add_event(trace, view, tables, &event, ns);
    }
}

struct trace *trace_read(const struct ledger_view *view, int64_t from_ns, int64_t to_ns)
{
    struct trace *trace = mem_zero(1, sizeof *trace);
    struct tables tables = {
        .n_threads = ledger_view_threads(view) + 1,
        .n_sites = ledger_view_sites(view) + 1,
        .n_modules = ledger_view_modules(view) + 1,
    };
    size_t length;
    const char *name = ledger_view_string(view, view->header->program, &length);
    snprintf(trace->program, sizeof trace->program, "%s", length ? name : "program");
    trace->pid = view->header->pid;
    trace->from_ns = from_ns;
    trace->to_ns = to_ns;
    trace->stacks = profile_new();
    profile_add_sample_type(trace->stacks, "events", "count");
    tables.threads = make_table(tables.n_threads);
    tables.sites = make_table(tables.n_sites);
    tables.modules = mem_zero(tables.n_modules + 1, sizeof(struct profile_mapping *));
    read_events(trace, view, &tables);
    if (trace->n_events)
        qsort(trace->events, trace->n_events, sizeof *trace->events, compare_events);
    edges_find(trace);
    struct placed *placed, *next;
    HASH_ITER(hh, tables.placed, placed, next)
    {
        HASH_DEL(tables.placed, placed);
        free(placed);
    }
    free(tables.threads);
    free(tables.sites);
    free(tables.modules);
    return trace;
}

void trace_free(struct trace *trace)
{
    if (!trace)
        return;
    profile_free(trace->stacks);
    free(trace->events);
    free(trace->threads);
    free(trace);
}
