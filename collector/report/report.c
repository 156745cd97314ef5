#include "report/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "report/path.h"

void report_options_init(struct report_options *o)
{
    *o = (struct report_options){
        .unit = "minimum",
        .source_path = "",
        .trim_path = "",
        .source_uid = -1,
        .trim = true,
        .node_count = -1,
        .node_fraction = 0.005,
        .edge_fraction = 0.001,
        .divide_by = 1,
    };
}

static void ignore_notice(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

static bool is_base_sample(const struct profile_sample *s)
{
    for (size_t i = 0; i < s->n_labels; i++)
        if (s->labels[i].str && strcmp(s->labels[i].key, "pprof::base") == 0 &&
            strcmp(s->labels[i].str, "true") == 0)
            return true;
    return false;
}

/* Of absolute values; with a base to compare with, the base's alone. */
static int64_t compute_total(const struct profile *p, int index, bool mean)
{
    int64_t total = 0, divisor = 0, base_total = 0, base_divisor = 0;
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *s = p->samples[i];
        int64_t value = llabs(s->values[index]), d = mean ? s->values[0] : 0;
        total += value;
        divisor += d;
        if (is_base_sample(s)) {
            base_total += value;
            base_divisor += d;
        }
    }
    if (base_total > 0) {
        total = base_total;
        divisor = base_divisor;
    }
    return divisor ? total / divisor : total;
}

/* Samples without a stack cannot be shown; they count in the total, as in pprof. */
static bool filter(struct report *r, struct error *err)
{
    size_t kept = 0;
    if (!profile_apply_filter(r->p, &r->o.filter, r->o.notice, r->o.notice_arg, err))
        return false;
    for (size_t i = 0; i < r->p->n_samples; i++)
        if (r->p->samples[i]->n_locations)
            r->p->samples[kept++] = r->p->samples[i];
    r->p->n_samples = kept;
    return true;
}

bool report_open(struct report *r, struct profile *p, const struct report_options *o,
                 struct error *err)
{
    *r = (struct report){.p = p, .o = *o};
    if (!r->o.notice)
        r->o.notice = ignore_notice;
    if (o->divide_by == 0)
        return fail_with(err, "zero divisor specified");
    if (!r->o.trim)
        r->o.node_count = 0, r->o.node_fraction = r->o.edge_fraction = 0;
    /* Frames made from labels come first: filters may name them. */
    unsigned had = profile_add_tag_frames(p, o->tagroot, o->tagleaf, o->unit);
    if (o->tagroot && *o->tagroot && !(had & 1))
        r->o.notice(r->o.notice_arg, "TagRoot expression matched no samples");
    if (o->tagleaf && *o->tagleaf && !(had & 2))
        r->o.notice(r->o.notice_arg, "TagLeaf expression matched no samples");
    if (o->relative_percentages && !filter(r, err))
        return false;
    r->index = profile_find_index(p, o->sample_index, err);
    if (r->index < 0)
        return false;
    const struct profile_value_type *type = &p->sample_types[r->index];
    snprintf(r->type_name, sizeof(r->type_name), "%s%s", o->mean ? "mean_" : "", type->type);
    r->unit = type->unit;
    r->out_unit = o->unit;
    r->total = compute_total(p, r->index, o->mean);
    if (!o->relative_percentages && !filter(r, err))
        return false;
    profile_aggregate(p, o->granularity, o->no_inlines);
    for (size_t i = 0; i < p->n_functions; i++)
        p->functions[i]->filename =
            profile_intern(p, path_trim(p->functions[i]->filename, o->trim_path, o->source_path));
    return true;
}

char *report_value(const struct report *r, char buf[UNIT_TEXT], int64_t value)
{
    double ratio = 1 / r->o.divide_by;
    if (ratio > 0 && ratio != 1)
        value = (int64_t)((double)value * ratio);
    return unit_format(buf, value, r->unit, r->out_unit);
}

/* One unit for the whole report: that of the smallest value, or a larger one if the
 * largest is far above. */
static void select_unit(struct report *r, const struct graph *g)
{
    int64_t least = 0, most = r->total;
    const char *least_unit, *most_unit, *unit;
    if (strcmp(r->out_unit, "minimum") != 0 || !g->n_nodes)
        return;
    for (size_t i = 0; i < g->n_nodes; i++) {
        int64_t value = llabs(graph_node_flat(g->nodes[i]));
        if (!value)
            value = llabs(graph_node_cum(g->nodes[i]));
        if (value > 0 && (!least || value < least))
            least = value;
    }
    if (!least)
        least = most;
    double ratio = 1 / r->o.divide_by;
    if (ratio > 0 && ratio != 1) {
        least = (int64_t)((double)least * ratio);
        most = (int64_t)((double)most * ratio);
    }
    unit_scale(least, r->unit, "minimum", &least_unit);
    unit_scale(most, r->unit, "minimum", &most_unit);
    unit = least_unit;
    if (strcmp(least_unit, most_unit) != 0 && least * 100 < most)
        unit_scale(100 * least, r->unit, "minimum", &unit);
    r->out_unit = *unit ? unit : r->unit;
}

static struct graph *rebuild(struct report *r, const struct graph_options *o, struct graph *keep)
{
    struct graph *g = graph_new(r->p, o, keep);
    graph_free(keep);
    return g;
}

void report_graph_make(struct report *r, struct report_graph *out)
{
    const struct graph_options o = {
        .sample_index = r->index,
        .mean = r->o.mean,
        .object_names = r->o.object_names,
        .drop_negative = r->o.drop_negative,
    };
    enum graph_order order = r->o.cum ? GRAPH_BY_CUM : GRAPH_BY_FLAT;
    struct graph *g = graph_new(r->p, &o, NULL);
    int64_t total = 0;
    *out = (struct report_graph){0};
    for (size_t i = 0; i < g->n_nodes; i++)
        total += g->nodes[i]->flat;
    int64_t node_cutoff = llabs((int64_t)((double)total * r->o.node_fraction));
    int64_t edge_cutoff = llabs((int64_t)((double)total * r->o.edge_fraction));
    if (node_cutoff > 0) {
        size_t all = g->n_nodes;
        graph_drop_small_nodes(g, node_cutoff);
        out->dropped_nodes = all - g->n_nodes;
        if (out->dropped_nodes)
            g = rebuild(r, &o, g);
    }
    out->original_nodes = g->n_nodes;
    graph_sort(g, order);
    if (r->o.node_count > 0 && g->n_nodes > (size_t)r->o.node_count) {
        for (size_t i = (size_t)r->o.node_count; i < g->n_nodes; i++)
            g->nodes[i]->seen = 0;
        g = rebuild(r, &o, g);
        graph_sort(g, order);
    }
    out->dropped_edges = graph_drop_small_edges(g, edge_cutoff);
    out->graph = g;
    select_unit(r, g);
}

/* ---- Header lines ---- */

/* `Nov 14, 2023 at 10:13pm (UTC)`. */
static void print_time(const struct profile *p, FILE *out)
{
    time_t seconds = p->time_nanos / 1000000000;
    struct tm tm;
    char month[16], zone[32];
    if (!p->time_nanos || !localtime_r(&seconds, &tm))
        return;
    strftime(month, sizeof(month), "%b", &tm);
    strftime(zone, sizeof(zone), "%Z", &tm);
    fprintf(out, "Time: %s %d, %d at %d:%02d%s (%s)\n", month, tm.tm_mday, tm.tm_year + 1900,
            tm.tm_hour % 12 ? tm.tm_hour % 12 : 12, tm.tm_min, tm.tm_hour < 12 ? "am" : "pm", zone);
}

/* Programs that are named; of more the number is told. */
#define PROGRAMS_SHOWN 6

/* "File: app", as pprof has it; true: "Programs: cc1, as and 3 more", for a profile of several. */
static bool print_programs(const struct profile *p, FILE *out)
{
    const char *names[PROGRAMS_SHOWN];
    size_t n = profile_programs(p, names, PROGRAMS_SHOWN);
    if (n < 2) {
        if (n || (p->n_mappings && *p->mappings[0]->file))
            fprintf(out, "File: %s\n", profile_program_name(p));
        return false;
    }
    fputs("Programs: ", out);
    for (size_t i = 0; i < n && i < PROGRAMS_SHOWN; i++)
        fprintf(out, "%s%s", !i ? "" : i + 1 == n ? " and " : ", ", names[i]);
    if (n > PROGRAMS_SHOWN)
        fprintf(out, " and %zu more", n - PROGRAMS_SHOWN);
    fputc('\n', out);
    return true;
}

void report_print_profile_labels(const struct report *r, FILE *out)
{
    const struct profile *p = r->p;
    char a[UNIT_TEXT], b[UNIT_TEXT];
    bool several = print_programs(p, out);
    if (!several && p->n_mappings && *p->mappings[0]->build_id)
        fprintf(out, "Build ID: %s\n", p->mappings[0]->build_id);
    for (size_t i = 0; i < p->n_comments; i++)
        if (*p->comments[i] != '#')
            fprintf(out, "%s\n", p->comments[i]);
    if (*r->type_name)
        fprintf(out, "Type: %s\n", r->type_name);
    print_time(p, out);
    if (p->duration_nanos) {
        const char *unit;
        double total = unit_scale(r->total, r->unit, "nanoseconds", &unit);
        fprintf(out, "Duration: %s, Total samples = %s ",
                unit_format(a, p->duration_nanos, "nanoseconds", "auto"),
                report_value(r, b, r->total));
        if (strcmp(unit, "ns") == 0 && total != 0)
            fprintf(out, "(%s)", unit_percent(a, (int64_t)total, p->duration_nanos));
        fputc('\n', out);
    }
}

static void print_filters(const struct report *r, FILE *out)
{
    const struct profile_filter *f = &r->o.filter;
    const struct {
        const char *name, *text;
    } list[] = {
        {"focus", f->focus},         {"ignore", f->ignore},       {"hide", f->hide},
        {"show", f->show},           {"show_from", f->show_from}, {"tagfocus", f->tagfocus},
        {"tagignore", f->tagignore}, {"tagshow", f->tagshow},     {"taghide", f->taghide},
    };
    bool first = true;
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
        if (!list[i].text || !*list[i].text)
            continue;
        char *line = mem_printf("%s=%s", list[i].name, list[i].text);
        if (first)
            fprintf(out, "Active filters:\n");
        first = false;
        fprintf(out, "   %.80s%s\n", line, strlen(line) > 80 ? "\u2026" : "");
        free(line);
    }
}

static void print_dropped(const struct report *r, size_t n, const char *what, const char *value,
                          double fraction, FILE *out)
{
    char buf[UNIT_TEXT];
    if (n)
        fprintf(out, "Dropped %zu %s%s (%s <= %s)\n", n, what, n > 1 ? "s" : "", value,
                report_value(r, buf, llabs((int64_t)((double)r->total * fraction))));
}

void report_print_labels(const struct report *r, const struct report_graph *g, FILE *out)
{
    char a[UNIT_TEXT], b[UNIT_TEXT], c[UNIT_TEXT];
    int64_t sum = 0;
    if (!r->o.compact_labels)
        report_print_profile_labels(r, out);
    for (size_t i = 0; i < g->graph->n_nodes; i++)
        sum += graph_node_flat(g->graph->nodes[i]);
    print_filters(r, out);
    const char *percent = unit_percent(b, sum, r->total);
    fprintf(out, "Showing nodes accounting for %s, %s of %s total\n", report_value(r, a, sum),
            percent + strspn(percent, " "), report_value(r, c, r->total));
    if (!r->total)
        return;
    print_dropped(r, g->dropped_nodes, "node", "cum", r->o.node_fraction, out);
    /* Edges dropped are told by graphs only. */
    if (g->graph->n_nodes && g->graph->n_nodes < g->original_nodes)
        fprintf(out, "Showing top %zu nodes out of %zu\n", g->graph->n_nodes, g->original_nodes);
}
