#include "report/graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "report/path.h"

struct node_entry {
    UT_hash_handle hh;
    struct graph_info key;
    struct graph_node node;
};

struct edge_key {
    struct graph_node *from, *to;
};

struct edge_entry {
    UT_hash_handle hh;
    struct edge_key key;
    struct graph_edge edge;
};

struct graph_state {
    struct node_entry *nodes;
    struct edge_entry *edges;
    size_t samples; /* counts samples: what `seen` is compared with */
};

/* malloc'ed. */
static char *make_label(const struct graph_info *i)
{
    char address[24] = "", line[24] = "";
    const char *name = i->name, *space = "", *file = i->file, *slash;
    if (i->address)
        snprintf(address, sizeof(address), "%016" PRIx64 "%s", i->address, *name ? " " : "");
    if (i->line)
        snprintf(line, sizeof(line), ":%" PRId64, i->line);
    if ((*file || i->line) && (*name || i->address))
        space = " ";
    if (*file || i->line)
        return mem_printf("%s%s%s%s%s", address, name, space, file, line);
    if (*name)
        return mem_printf("%s%s", address, name);
    space = i->address ? " " : "";
    if (!*i->object)
        return mem_printf("%s%s<unknown>", address, space);
    slash = strrchr(i->object, '/');
    return mem_printf("%s%s[%s]", address, space, slash ? slash + 1 : i->object);
}

static struct graph_node *find_node(const struct graph *g, const struct graph_info *info)
{
    struct node_entry *e;
    HASH_FIND(hh, g->state->nodes, info, sizeof(*info), e);
    return e ? &e->node : NULL;
}

static struct graph_node *find_or_add_node(struct graph *g, const struct graph_info *info,
                                           const struct graph *keep)
{
    if (keep) {
        bool kept = false;
        const struct graph_node *n = find_node(keep, info);
        kept = n && n->seen;
        if (!kept)
            return NULL;
    }
    struct graph_node *known = find_node(g, info);
    if (known)
        return known;
    struct node_entry *e = mem_zero(1, sizeof(*e));
    e->key = e->node.info = *info;
    e->node.label = make_label(info);
    HASH_ADD(hh, g->state->nodes, key, sizeof(e->key), e);
    if (!info->address && !info->line) {
        e->node.function = &e->node;
    } else {
        struct graph_info whole = *info;
        whole.address = 0;
        whole.line = 0;
        e->node.function = find_or_add_node(g, &whole, NULL);
    }
    return &e->node;
}

/* The info of one line of a location; line NULL: not symbolized. */
static struct graph_info line_info(struct profile *p, const struct profile_location *l,
                                   const struct profile_line *line, bool object_names)
{
    struct graph_info info;
    const char *empty = profile_intern(p, "");
    memset(&info, 0, sizeof(info)); /* padding is compared too */
    info.name = info.file = info.object = empty;
    info.address = l->address;
    if (!line) {
        info.object = l->mapping ? l->mapping->file : empty;
        return info;
    }
    info.name = line->function->name;
    info.line = line->line;
    if (*line->function->filename) {
        char *clean = path_clean(line->function->filename);
        info.file = profile_intern(p, clean);
        free(clean);
    }
    if (object_names || !*info.name) {
        info.object = l->mapping ? l->mapping->file : empty;
        info.start_line = line->function->start_line;
    }
    return info;
}

/* The nodes of each location, innermost line first; NULL where not kept. */
struct location_nodes {
    struct graph_node **nodes;
    size_t n;
};

static struct location_nodes *make_nodes(struct graph *g, struct profile *p,
                                         const struct graph_options *o, const struct graph *keep)
{
    struct location_nodes *all = mem_zero(p->n_locations, sizeof(*all));
    for (size_t i = 0; i < p->n_locations; i++) {
        const struct profile_location *l = p->locations[i];
        all[i].n = l->n_lines ? l->n_lines : 1;
        all[i].nodes = mem_zero(all[i].n, sizeof(*all[i].nodes));
        for (size_t j = 0; j < all[i].n; j++) {
            struct graph_info info =
                line_info(p, l, l->n_lines ? &l->lines[j] : NULL, o->object_names);
            all[i].nodes[j] = find_or_add_node(g, &info, keep);
        }
    }
    return all;
}

static void add_edge(struct graph *g, struct graph_node *from, struct graph_node *to, int64_t value,
                     int64_t divisor, bool residual, bool inlined)
{
    struct edge_key key = {from, to};
    struct edge_entry *e;
    HASH_FIND(hh, g->state->edges, &key, sizeof(key), e);
    if (e && e->edge.seen == g->state->samples)
        return;
    if (!e) {
        e = mem_zero(1, sizeof(*e));
        e->key = key;
        e->edge = (struct graph_edge){.from = from, .to = to, .inlined = inlined};
        HASH_ADD(hh, g->state->edges, key, sizeof(key), e);
        from->out = mem_grow(from->out, from->n_out, &from->cap_out, sizeof(*from->out));
        from->out[from->n_out++] = &e->edge;
        to->in = mem_grow(to->in, to->n_in, &to->cap_in, sizeof(*to->in));
        to->in[to->n_in++] = &e->edge;
    }
    e->edge.seen = g->state->samples;
    e->edge.weight += value;
    e->edge.weight_div += divisor;
    e->edge.residual = e->edge.residual || residual;
    e->edge.inlined = e->edge.inlined && inlined;
}

/* From the root to the leaf; a node counts once for a sample, so does an edge. */
static void add_sample(struct graph *g, const struct profile_sample *s,
                       const struct location_nodes *nodes_of, int64_t value, int64_t divisor)
{
    struct graph_node *parent = NULL;
    bool residual = false;
    g->state->samples++;
    for (size_t i = s->n_locations; i-- > 0;) {
        const struct location_nodes *at = &nodes_of[s->locations[i]->id - 1];
        for (size_t j = at->n; j-- > 0;) {
            struct graph_node *n = at->nodes[j];
            if (!n) {
                residual = true;
                continue;
            }
            if (n->seen != g->state->samples) {
                n->seen = g->state->samples;
                n->cum += value;
                n->cum_div += divisor;
            }
            if (parent && parent != n)
                add_edge(g, parent, n, value, divisor, residual, j != at->n - 1);
            parent = n;
            residual = false;
        }
    }
    if (parent && !residual) {
        parent->flat += value;
        parent->flat_div += divisor;
    }
}

/* Fills in the list: nodes with a value. Others have seen = 0, as dropped ones do. */
static void list_nodes(struct graph *g, bool drop_negative)
{
    struct node_entry *e, *next;
    g->nodes = mem_zero(HASH_COUNT(g->state->nodes), sizeof(*g->nodes));
    HASH_ITER(hh, g->state->nodes, e, next)
    {
        bool negative = e->node.flat < 0 || (e->node.flat == 0 && e->node.cum < 0);
        bool shown = (e->node.cum || e->node.flat) && !(drop_negative && negative);
        e->node.seen = shown;
        if (shown)
            g->nodes[g->n_nodes++] = &e->node;
    }
}

struct graph *graph_new(struct profile *p, const struct graph_options *o, const struct graph *keep)
{
    struct graph *g = mem_zero(1, sizeof(*g));
    g->state = mem_zero(1, sizeof(*g->state));
    struct location_nodes *nodes_of = make_nodes(g, p, o, keep);
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *s = p->samples[i];
        int64_t value = s->values[o->sample_index], divisor = o->mean ? s->values[0] : 0;
        if (value || divisor)
            add_sample(g, s, nodes_of, value, divisor);
    }
    for (size_t i = 0; i < p->n_locations; i++)
        free(nodes_of[i].nodes);
    free(nodes_of);
    list_nodes(g, o->drop_negative);
    return g;
}

void graph_free(struct graph *g)
{
    struct node_entry *n, *next_node;
    struct edge_entry *e, *next_edge;
    if (!g)
        return;
    HASH_ITER(hh, g->state->edges, e, next_edge)
    {
        HASH_DEL(g->state->edges, e);
        free(e);
    }
    HASH_ITER(hh, g->state->nodes, n, next_node)
    {
        HASH_DEL(g->state->nodes, n);
        free(n->node.label);
        free(n->node.in);
        free(n->node.out);
        free(n);
    }
    free(g->nodes);
    free(g->state);
    free(g);
}

int64_t graph_node_flat(const struct graph_node *n)
{
    return n->flat_div ? n->flat / n->flat_div : n->flat;
}

int64_t graph_node_cum(const struct graph_node *n)
{
    return n->cum_div ? n->cum / n->cum_div : n->cum;
}

static void remove_edge(struct graph_edge **list, size_t *n, const struct graph_edge *e)
{
    for (size_t i = 0; i < *n; i++)
        if (list[i] == e) {
            list[i] = list[--*n];
            return;
        }
}

void graph_drop_small_nodes(struct graph *g, int64_t cutoff)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        struct graph_node *n = g->nodes[i];
        n->seen = llabs(n->cum) >= cutoff;
        if (n->seen)
            g->nodes[kept++] = n;
    }
    g->n_nodes = kept;
}

size_t graph_drop_small_edges(struct graph *g, int64_t cutoff)
{
    size_t dropped = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        struct graph_node *n = g->nodes[i];
        for (size_t j = 0; j < n->n_in;) {
            struct graph_edge *e = n->in[j];
            if (llabs(e->weight) >= cutoff) {
                j++;
                continue;
            }
            remove_edge(e->from->out, &e->from->n_out, e);
            n->in[j] = n->in[--n->n_in];
            dropped++;
        }
    }
    return dropped;
}
