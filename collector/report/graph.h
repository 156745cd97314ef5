/*
 * The call graph of a profile for one sample type: the base of top, tree, peek and
 * list, and of exports that show callers and callees. Built as `go tool pprof`
 * builds its own, so that all numbers are the same.
 */
#ifndef COLLECTOR_REPORT_GRAPH_H
#define COLLECTOR_REPORT_GRAPH_H

#include "profile/profile.h"

struct graph_edge;

/* What makes a node: two frames that agree in all of it are the same node. Strings
 * are interned in the profile. */
struct graph_info {
    const char *name;
    const char *file;
    const char *object; /* mapping's file; "" unless asked for or nothing else is known */
    uint64_t address;
    int64_t start_line, line;
};

struct graph_node {
    struct graph_info info;
    char *label; /* as shown: "address name file:line" */
    /* The node of the whole function, if this one is a part of it; else itself. */
    struct graph_node *function;
    /* flat: of samples that end here; cum: of samples that pass through. */
    int64_t flat, flat_div, cum, cum_div;
    struct graph_edge **in, **out;
    size_t n_in, n_out;
    /* private */
    size_t seen, cap_in, cap_out;
};

struct graph_edge {
    struct graph_node *from, *to;
    int64_t weight, weight_div;
    bool residual; /* goes over nodes that are not shown */
    bool inlined;  /* all calls along it are inlined */
    size_t seen;   /* private */
};

struct graph_options {
    int sample_index;
    bool mean; /* divide by the first sample type's value */
    bool object_names;
    bool drop_negative;
};

struct graph {
    struct graph_node **nodes; /* only those with a value, in no order until sorted */
    size_t n_nodes;
    struct graph_state *state; /* private */
};

/* keep: only these nodes (compared by info), NULL: all. p outlives the graph. */
struct graph *graph_new(struct profile *p, const struct graph_options *o, const struct graph *keep);
void graph_free(struct graph *g);

/* Values, divided for means. */
int64_t graph_node_flat(const struct graph_node *n);
int64_t graph_node_cum(const struct graph_node *n);

enum graph_order { GRAPH_BY_FLAT, GRAPH_BY_CUM, GRAPH_BY_NAME, GRAPH_BY_FILE };
/* Largest first; all ties are broken. */
void graph_sort(struct graph *g, enum graph_order order);
/* Sorts a node list of one's own (a pointer array) in the same way. */
void graph_sort_nodes(struct graph_node **nodes, size_t n, enum graph_order order);

/* Drops nodes whose absolute cum is below cutoff from the list. Their edges stay
 * with the others: rebuild with graph_new(keep) to have samples go around them. */
void graph_drop_small_nodes(struct graph *g, int64_t cutoff);
/* Drops edges whose absolute weight is below cutoff; returns how many. */
size_t graph_drop_small_edges(struct graph *g, int64_t cutoff);
/* Largest first. */
void graph_sort_edges(struct graph_edge **edges, size_t n);

#endif
