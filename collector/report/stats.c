/* A profile at a glance: totals, how much to trust it, the largest places. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"

/* Places listed. */
#define N_LARGEST 10

/* _start, and the two functions of the C library that it calls. */
#define START_FRAMES 3

static int find_type(const struct profile *p, const char *name)
{
    for (size_t i = 0; i < p->n_sample_types; i++)
        if (strcmp(p->sample_types[i].type, name) == 0)
            return (int)i;
    return -1;
}

static int64_t type_sum(const struct profile *p, int type)
{
    int64_t sum = 0;
    for (size_t i = 0; i < p->n_samples; i++)
        sum += p->samples[i]->values[type];
    return sum;
}

static void print_totals(const struct profile *p, FILE *out)
{
    char buf[UNIT_TEXT];
    fputs("Totals\n", out);
    for (size_t i = 0; i < p->n_sample_types; i++) {
        int64_t sum = type_sum(p, (int)i);
        fprintf(out, "  %-16s %12s", p->sample_types[i].type,
                unit_format(buf, sum, p->sample_types[i].unit, "auto"));
        if (strcmp(p->sample_types[i].unit, "count") != 0)
            fprintf(out, "  (%" PRId64 " %s)", sum, p->sample_types[i].unit);
        fputc('\n', out);
    }
    if (p->period)
        fprintf(out, "  one sample for   %12s of %s\n",
                unit_format(buf, p->period, p->period_type.unit, "auto"), p->period_type.type);
    if (p->duration_nanos)
        fprintf(out, "  collected in     %12s\n",
                unit_format(buf, p->duration_nanos, "nanoseconds", "auto"));
}

/* What was allocated and is gone again, in all and where most of it was. */
static void print_temporary(const struct profile *p, FILE *out)
{
    int alloc = find_type(p, "alloc_objects"), inuse = find_type(p, "inuse_objects");
    int space = find_type(p, "alloc_space"), live = find_type(p, "inuse_space");
    char a[UNIT_TEXT], b[UNIT_TEXT], c[UNIT_TEXT];
    if (alloc < 0 || inuse < 0 || space < 0 || live < 0)
        return;
    int64_t all = type_sum(p, alloc), gone = all - type_sum(p, inuse);
    int64_t bytes = type_sum(p, space), gone_bytes = bytes - type_sum(p, live);
    fputs("Temporary\n", out);
    fprintf(out, "  freed again      %12s objects (%s of all), %s\n",
            unit_format(a, gone, "count", "auto"), unit_percent(b, gone, all),
            unit_format(c, gone_bytes, "bytes", "auto"));
    if (all)
        fprintf(
            out, "  mean size        %12s allocated, %s in use\n",
            unit_format(a, bytes / all, "bytes", "auto"),
            unit_format(b, all > gone ? (bytes - gone_bytes) / (all - gone) : 0, "bytes", "auto"));
}

/* Do the outermost frames belong to what starts a program or a thread? Not only the
 * very outermost: _start has no name in a stripped program. */
static bool is_complete(const struct profile_sample *s)
{
    static const char *const starts[] = {
        "_start", "__libc_start_main", "__libc_start_call_main", "start_thread", "__clone",
        "clone",  "_dl_start_user",    "runtime.goexit"};
    for (size_t up = 1; up <= START_FRAMES && up <= s->n_locations; up++) {
        const struct profile_location *l = s->locations[s->n_locations - up];
        if (!l->n_lines)
            continue;
        const char *name = l->lines[l->n_lines - 1].function->name;
        for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
            if (strncmp(name, starts[i], strlen(starts[i])) == 0)
                return true;
    }
    return false;
}

/* FILE+0xSTART is what the symbolizer calls a function that has no name. */
static bool has_name(const struct profile_location *l)
{
    return l->n_lines > 0 && !strstr(l->lines[l->n_lines - 1].function->name, "+0x");
}

static void print_stacks(const struct profile *p, FILE *out)
{
    char buf[UNIT_TEXT];
    size_t complete = 0;
    size_t depth = 0, deepest = 0, named = 0, with_lines = 0;
    for (size_t i = 0; i < p->n_samples; i++) {
        complete += is_complete(p->samples[i]);
        depth += p->samples[i]->n_locations;
        if (p->samples[i]->n_locations > deepest)
            deepest = p->samples[i]->n_locations;
    }
    for (size_t i = 0; i < p->n_locations; i++) {
        named += has_name(p->locations[i]);
        with_lines += p->locations[i]->n_lines > 0 && p->locations[i]->lines[0].line > 0;
    }
    fputs("Stacks\n", out);
    fprintf(out, "  records          %12zu\n", p->n_samples);
    fprintf(out, "  frames           %12.1f on average, %zu at most\n",
            p->n_samples ? (double)depth / (double)p->n_samples : 0, deepest);
    fprintf(out, "  complete         %12zu (%s reach the start of their thread)\n", complete,
            unit_percent(buf, (int64_t)complete, (int64_t)p->n_samples));
    fprintf(out, "  addresses        %12zu, %zu with a name, %zu with a line\n", p->n_locations,
            named, with_lines);
    fprintf(out, "  files mapped     %12zu\n", p->n_mappings);
}

/* `text` as the library wrote it, without what marks it as the library's. */
static const char *bare_comment(const char *text)
{
    text += strspn(text, "# ");
    return strncmp(text, "libprof: ", 9) == 0 ? text + 9 : text;
}

static size_t count_processes(const struct profile *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_comments; i++)
        n += strncmp(bare_comment(p->comments[i]), "pid: ", 5) == 0;
    return n;
}

/* Lines about memory: the heap's own, and those of proc(5), in kB. */
static const struct {
    const char *start, *shown;
    int64_t unit;
} memory_lines[] = {
    {"bytes in use when the heap was largest: ", "heap at its largest", 1},
    {"VmRSS:", "resident", 1024},
    {"VmHWM:", "resident at most", 1024},
    {"RssAnon:", "of it anonymous", 1024},
    {"VmSwap:", "swapped out", 1024},
};
#define N_MEMORY_LINES (sizeof(memory_lines) / sizeof(*memory_lines))

/* Index in memory_lines; -1: about something else. */
static int find_memory_line(const char *text)
{
    for (size_t i = 0; i < N_MEMORY_LINES; i++)
        if (strncmp(text, memory_lines[i].start, strlen(memory_lines[i].start)) == 0)
            return (int)i;
    return -1;
}

/* The heap against what the kernel counts: the rest is the allocator's, stacks, files. */
static void print_memory(const struct profile *p, FILE *out)
{
    char buf[UNIT_TEXT];
    bool any = false;
    for (size_t line = 0; line < N_MEMORY_LINES; line++)
        for (size_t i = 0; i < p->n_comments; i++) {
            const char *text = bare_comment(p->comments[i]);
            if (find_memory_line(text) != (int)line)
                continue;
            if (!any)
                fputs("Memory of the process\n", out);
            any = true;
            int64_t value = strtoll(text + strlen(memory_lines[line].start), NULL, 10);
            fprintf(out, "  %-20s %8s\n", memory_lines[line].shown,
                    unit_format(buf, value * memory_lines[line].unit, "bytes", "auto"));
        }
}

/* What the library said about itself and the process: losses, settings. */
static void print_comments(const struct profile *p, size_t processes, FILE *out)
{
    if (processes > 1)
        fprintf(out, "Told by %zu processes (the same line only once)\n", processes);
    else if (p->n_comments)
        fputs("Told by the process\n", out);
    for (size_t i = 0; i < p->n_comments; i++) {
        const char *text = bare_comment(p->comments[i]);
        if (processes > 1 || find_memory_line(text) < 0)
            fprintf(out, "  %s\n", text);
    }
}

static void print_largest(struct report *r, FILE *out)
{
    struct report_graph g;
    char a[UNIT_TEXT], b[UNIT_TEXT];
    r->o.node_count = 0;
    r->o.node_fraction = r->o.edge_fraction = 0;
    r->out_unit = "auto";
    profile_aggregate(r->p, PROFILE_FUNCTIONS, false);
    report_graph_make(r, &g);
    fprintf(out, "Largest (%s)\n", r->type_name);
    for (size_t i = 0; i < g.graph->n_nodes && i < N_LARGEST; i++) {
        const struct graph_node *n = g.graph->nodes[i];
        if (n->flat)
            fprintf(out, "  %16s %s  %s\n", report_value(r, a, graph_node_flat(n)),
                    unit_percent(b, graph_node_flat(n), r->total), n->label);
    }
    graph_free(g.graph);
}

void report_stats(struct report *r, FILE *out)
{
    const struct profile *p = r->p;
    if (p->n_mappings && *p->mappings[0]->file)
        fprintf(out, "Program\n  %s%s%s\n", p->mappings[0]->file,
                *p->mappings[0]->build_id ? ", build id " : "", p->mappings[0]->build_id);
    print_totals(p, out);
    print_temporary(p, out);
    print_stacks(p, out);
    size_t processes = count_processes(p);
    if (processes <= 1)
        print_memory(p, out);
    print_comments(p, processes, out);
    print_largest(r, out);
}
