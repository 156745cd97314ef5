/*
 * Built by sorting the stacks: neighbours share their beginnings, so a sweep makes
 * the nodes in preorder. No table of children is needed, and the order of the result
 * does not depend on the order of the samples.
 */
#include "export/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export/format.h"

/* A stack in terms of ranks, root first. */
struct ranked_stack {
    const struct profile_sample *sample;
    size_t first; /* in builder.ranks */
    size_t n;
};

/* Frame rank * 2 + inlined; stacks are compared by the rank alone. */
typedef uint32_t rank_t;

struct builder {
    const struct profile *p;
    struct tree *t;
    rank_t *ranks;
    size_t n_ranks, room_ranks;
    struct ranked_stack *stacks;
    uint32_t *path; /* node by depth, of the stack before */
    size_t room_path, room_nodes;
};

static int compare_frames(const void *a, const void *b, void *arg)
{
    const struct frame *list = arg;
    const struct frame *x = &list[*(const uint32_t *)a], *y = &list[*(const uint32_t *)b];
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->object, y->object);
}

static int compare_stacks(const void *a, const void *b, void *arg)
{
    const struct ranked_stack *x = a, *y = b;
    const rank_t *ranks = arg;
    size_t n = x->n < y->n ? x->n : y->n;
    for (size_t i = 0; i < n; i++) {
        rank_t r = ranks[x->first + i] / 2, s = ranks[y->first + i] / 2;
        if (r != s)
            return r < s ? -1 : 1;
    }
    return x->n < y->n ? -1 : x->n > y->n;
}

/* Stacks as ranks of frames by name; *by_rank becomes the way back. */
static void rank_stacks(struct builder *b, uint32_t **by_rank)
{
    const struct frames *f = b->t->frames;
    uint32_t *order = mem_zero(f->n + 1, sizeof(*order)), *rank = mem_zero(f->n + 1, sizeof(*rank));
    struct frame_stack stack = {0};
    for (size_t i = 0; i < f->n; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, f->n, sizeof(*order), compare_frames, f->list);
    for (size_t i = 0; i < f->n; i++)
        rank[order[i]] = (uint32_t)i;
    b->stacks = mem_zero(b->p->n_samples + 1, sizeof(*b->stacks));
    for (size_t i = 0; i < b->p->n_samples; i++) {
        frames_expand(f, b->p->samples[i], &stack);
        b->stacks[i] = (struct ranked_stack){b->p->samples[i], b->n_ranks, stack.n};
        for (size_t j = 0; j < stack.n; j++) {
            const struct frame_site *site = &f->sites[stack.sites[j]];
            b->ranks = mem_grow(b->ranks, b->n_ranks, &b->room_ranks, sizeof(*b->ranks));
            b->ranks[b->n_ranks++] = rank[site->frame] * 2 + site->inlined;
        }
    }
    free(stack.sites);
    free(rank);
    *by_rank = order;
}

static uint32_t add_node(struct builder *b, uint32_t frame, uint32_t parent, uint32_t depth,
                         bool inlined)
{
    struct tree *t = b->t;
    t->nodes = mem_grow(t->nodes, t->n, &b->room_nodes, sizeof(*t->nodes));
    t->nodes[t->n] = (struct tree_node){
        .frame = frame,
        .parent = parent,
        .depth = depth,
        .inlined = inlined,
    };
    if (depth > t->max_depth)
        t->max_depth = depth;
    return (uint32_t)t->n++;
}

/* The node each stack ends in. */
static void add_nodes(struct builder *b, const uint32_t *by_rank, uint32_t *leaves)
{
    size_t shared = 0;
    b->path = mem_grow(b->path, 0, &b->room_path, sizeof(*b->path));
    b->path[0] = add_node(b, TREE_ROOT, 0, 0, false);
    for (size_t i = 0; i < b->p->n_samples; i++) {
        const struct ranked_stack *s = &b->stacks[i];
        const struct ranked_stack *before = i ? s - 1 : NULL;
        for (shared = 0; before && shared < s->n && shared < before->n; shared++)
            if (b->ranks[s->first + shared] / 2 != b->ranks[before->first + shared] / 2)
                break;
            else if (!(b->ranks[s->first + shared] & 1))
                b->t->nodes[b->path[shared + 1]].inlined = false;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): with samples there are stacks */
        for (size_t d = shared; d < s->n; d++) {
            rank_t rank = b->ranks[s->first + d];
            b->path = mem_grow(b->path, d + 1, &b->room_path, sizeof(*b->path));
            b->path[d + 1] = add_node(b, by_rank[rank / 2], b->path[d], (uint32_t)d + 1, rank & 1);
        }
        leaves[i] = b->path[s->n];
    }
}

static void add_values(int64_t *to, const int64_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = export_add(to[i], from[i]);
}

static void sum_up(const struct tree *t, const int64_t *self, int64_t *total)
{
    memcpy(total, self, t->n * t->n_types * sizeof(*total));
    for (size_t i = t->n; i-- > 1;)
        add_values(total + t->nodes[i].parent * t->n_types, total + i * t->n_types, t->n_types);
}

static void fill_values(struct builder *b, const uint32_t *leaves)
{
    struct tree *t = b->t;
    size_t n = t->n * t->n_types;
    bool is_diff = export_is_diff(b->p);
    t->self = mem_zero(n + 1, sizeof(*t->self));
    t->total = mem_zero(n + 1, sizeof(*t->total));
    if (is_diff) {
        t->base_self = mem_zero(n + 1, sizeof(*t->base_self));
        t->base_total = mem_zero(n + 1, sizeof(*t->base_total));
    }
    for (size_t i = 0; i < b->p->n_samples; i++) {
        const struct profile_sample *s = b->stacks[i].sample;
        size_t at = leaves[i] * t->n_types;
        if (!is_diff || !export_is_base(s)) {
            add_values(t->self + at, s->values, t->n_types);
            continue;
        }
        for (size_t v = 0; v < t->n_types; v++) {
            int64_t value = s->values[v] == INT64_MIN ? INT64_MAX : -s->values[v];
            t->base_self[at + v] = export_add(t->base_self[at + v], value);
        }
    }
    sum_up(t, t->self, t->total);
    if (is_diff)
        sum_up(t, t->base_self, t->base_total);
}

struct tree *tree_new(const struct profile *p)
{
    struct tree *t = mem_zero(1, sizeof(*t));
    struct builder b = {.p = p, .t = t};
    uint32_t *by_rank, *leaves = mem_zero(p->n_samples + 1, sizeof(*leaves));
    t->frames = frames_new(p, FRAMES_BY_NAME);
    t->n_types = p->n_sample_types;
    rank_stacks(&b, &by_rank);
    qsort_r(b.stacks, p->n_samples, sizeof(*b.stacks), compare_stacks, b.ranks);
    add_nodes(&b, by_rank, leaves);
    for (size_t i = t->n; i-- > 0;) {
        struct tree_node *node = &t->nodes[i];
        if (node->end <= i)
            node->end = (uint32_t)i + 1;
        if (t->nodes[node->parent].end < node->end)
            t->nodes[node->parent].end = node->end;
    }
    fill_values(&b, leaves);
    free(by_rank);
    free(leaves);
    free(b.ranks);
    free(b.stacks);
    free(b.path);
    return t;
}

void tree_free(struct tree *t)
{
    if (!t)
        return;
    frames_free(t->frames);
    free(t->nodes);
    free(t->self);
    free(t->total);
    free(t->base_self);
    free(t->base_total);
    free(t);
}
