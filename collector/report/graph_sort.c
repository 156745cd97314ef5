/* The order of nodes and edges: pprof's, ties included, so that output is the same. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/graph.h"

static int by_size(int64_t a, int64_t b)
{
    a = llabs(a);
    b = llabs(b);
    return (a < b) - (a > b);
}

/* The last resort: the infos as Go prints such a struct, which is text order. */
static int compare_infos(const struct graph_node *a, const struct graph_node *b)
{
    char *x =
        mem_printf("{%s  %" PRIu64 " %s %" PRId64 " %" PRId64 " %s}", a->info.name, a->info.address,
                   a->info.file, a->info.start_line, a->info.line, a->info.object);
    char *y =
        mem_printf("{%s  %" PRIu64 " %s %" PRId64 " %" PRId64 " %s}", b->info.name, b->info.address,
                   b->info.file, b->info.start_line, b->info.line, b->info.object);
    int result = strcmp(x, y);
    free(x);
    free(y);
    return result;
}

static int by_flat(const void *p, const void *q)
{
    const struct graph_node *a = *(struct graph_node *const *)p;
    const struct graph_node *b = *(struct graph_node *const *)q;
    int c = by_size(a->flat, b->flat);
    c = c ? c : strcmp(a->label, b->label);
    c = c ? c : by_size(a->cum, b->cum);
    return c ? c : compare_infos(a, b);
}

static int by_cum(const void *p, const void *q)
{
    const struct graph_node *a = *(struct graph_node *const *)p;
    const struct graph_node *b = *(struct graph_node *const *)q;
    int c = by_size(a->cum, b->cum);
    c = c ? c : strcmp(a->label, b->label);
    c = c ? c : by_size(a->flat, b->flat);
    return c ? c : compare_infos(a, b);
}

static int by_name(const void *p, const void *q)
{
    const struct graph_node *a = *(struct graph_node *const *)p;
    const struct graph_node *b = *(struct graph_node *const *)q;
    int c = strcmp(a->info.name, b->info.name);
    return c ? c : compare_infos(a, b);
}

static int by_file(const void *p, const void *q)
{
    const struct graph_node *a = *(struct graph_node *const *)p;
    const struct graph_node *b = *(struct graph_node *const *)q;
    int c = strcmp(a->info.file, b->info.file);
    if (!c && a->info.start_line != b->info.start_line)
        c = a->info.start_line < b->info.start_line ? -1 : 1;
    return c ? c : compare_infos(a, b);
}

void graph_sort_nodes(struct graph_node **nodes, size_t n, enum graph_order order)
{
    static int (*const compare[])(const void *, const void *) = {by_flat, by_cum, by_name, by_file};
    if (n)
        qsort(nodes, n, sizeof(*nodes), compare[order]);
}

void graph_sort(struct graph *g, enum graph_order order)
{
    graph_sort_nodes(g->nodes, g->n_nodes, order);
}

static int compare_edges(const void *p, const void *q)
{
    const struct graph_edge *a = *(struct graph_edge *const *)p;
    const struct graph_edge *b = *(struct graph_edge *const *)q;
    int c = by_size(a->weight, b->weight);
    c = c ? c : strcmp(a->from->label, b->from->label);
    return c ? c : strcmp(a->to->label, b->to->label);
}

void graph_sort_edges(struct graph_edge **edges, size_t n)
{
    if (n)
        qsort(edges, n, sizeof(*edges), compare_edges);
}
