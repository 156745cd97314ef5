/* Each function with its callers above and its callees below. */
#include <stdlib.h>

#include "base/regex.h"
#include "report/report.h"

static const char separator[] =
    "----------------------------------------------------------+-------------";

static void print_edges(const struct report *r, struct graph_edge **edges, size_t n, bool callers,
                        int64_t cum, FILE *out)
{
    char a[UNIT_TEXT], b[UNIT_TEXT];
    graph_sort_edges(edges, n);
    for (size_t i = 0; i < n; i++) {
        const struct graph_edge *e = edges[i];
        fprintf(out, "%50s %s |   %s%s\n", report_value(r, a, e->weight),
                unit_percent(b, e->weight, cum), callers ? e->from->label : e->to->label,
                e->inlined ? " (inline)" : "");
    }
}

static void print_node(const struct report *r, struct graph_node *n, int64_t *sum, FILE *out)
{
    char a[UNIT_TEXT], b[UNIT_TEXT], c[UNIT_TEXT], d[UNIT_TEXT], e[UNIT_TEXT];
    int64_t flat = graph_node_flat(n), cum = graph_node_cum(n);
    *sum += flat;
    fprintf(out, "%s\n", separator);
    print_edges(r, n->in, n->n_in, true, cum, out);
    fprintf(out, "%10s %s %s %10s %s                | %s\n", report_value(r, a, flat),
            unit_percent(b, flat, r->total), unit_percent(c, *sum, r->total),
            report_value(r, d, cum), unit_percent(e, cum, r->total), n->label);
    print_edges(r, n->out, n->n_out, false, cum, out);
}

bool report_tree(struct report *r, const char *symbol, FILE *out, struct error *err)
{
    struct report_graph g;
    struct regex *rx = symbol ? regex_compile("argument", symbol, err) : NULL;
    int64_t sum = 0;
    bool matched = !symbol;
    if (symbol && !rx)
        return false;
    if (symbol) /* all of what was asked for, however small */
        r->o.node_count = 0, r->o.node_fraction = r->o.edge_fraction = 0;
    else if (r->o.node_count < 0)
        r->o.node_count = 80; /* pprof's limit for graphs */
    report_graph_make(r, &g);
    for (size_t i = 0; i < g.graph->n_nodes && !matched; i++)
        matched = regex_matches(rx, g.graph->nodes[i]->label);
    if (!matched) {
        graph_free(g.graph);
        regex_free(rx);
        return fail_with(err, "no matches found for regexp: %.300s", symbol);
    }
    report_print_labels(r, &g, out);
    fprintf(out, "%s\n", separator);
    fprintf(out, "      flat  flat%%   sum%%        cum   cum%%   calls calls%% + context "
                 "\t \t \n");
    for (size_t i = 0; i < g.graph->n_nodes; i++) {
        struct graph_node *n = g.graph->nodes[i];
        if (rx && !regex_matches(rx, n->label))
            continue;
        print_node(r, n, &sum, out);
    }
    if (g.graph->n_nodes)
        fprintf(out, "%s\n", separator);
    graph_free(g.graph);
    regex_free(rx);
    return true;
}
