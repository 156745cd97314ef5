/* The list of the places that cost most. */
#include "report/report.h"

#include "report/precision.h"

/* Whether calls of this function were inlined: all, some, or none. */
static const char *inline_mark(const struct graph_node *n)
{
    bool inlined = false, called = false;
    for (size_t i = 0; i < n->n_in; i++) {
        inlined = inlined || n->in[i]->inlined;
        called = called || !n->in[i]->inlined;
    }
    if (!inlined)
        return "";
    return called ? " (partial-inline)" : " (inline)";
}

void report_top(struct report *r, FILE *out)
{
    struct report_graph g;
    int64_t sum = 0;
    char a[UNIT_TEXT], b[UNIT_TEXT], c[UNIT_TEXT], d[UNIT_TEXT], e[UNIT_TEXT];
    if (r->o.node_count < 0)
        r->o.node_count = 0;
    report_graph_make(r, &g);
    report_print_labels(r, &g, out);
    fprintf(out, "%10s %5s%% %5s%% %10s %5s%%\n", "flat", "flat", "sum", "cum", "cum");
    for (size_t i = 0; i < g.graph->n_nodes; i++) {
        const struct graph_node *n = g.graph->nodes[i];
        int64_t flat = graph_node_flat(n), cum = graph_node_cum(n);
        sum += flat;
        fprintf(out, "%10s %s %s %10s %s  %s%s\n", report_value(r, a, flat),
                unit_percent(b, flat, r->total), unit_percent(c, sum, r->total),
                report_value(r, d, cum), unit_percent(e, cum, r->total), n->label, inline_mark(n));
    }
    graph_free(g.graph);
    report_warn_of_few_samples(r, sum);
}
