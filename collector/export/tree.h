/*
 * The flame tree: equal stacks from the root on come together, every node knows its
 * own and its inclusive values of all sample types.
 */
#ifndef COLLECTOR_EXPORT_TREE_H
#define COLLECTOR_EXPORT_TREE_H

#include "export/frames.h"

#define TREE_ROOT UINT32_MAX /* the frame of node 0 */

struct tree_node {
    uint32_t frame; /* index into frames->list */
    uint32_t parent;
    uint32_t depth; /* 0: the root, node 0 */
    uint32_t end;   /* the node after the last descendant */
    bool inlined;   /* in every stack that comes through here */
};

/* Nodes in preorder: a child follows its parent or its sibling's descendants;
 * siblings are sorted by name. Values are by node and type: [node * n_types + type]. */
struct tree {
    struct frames *frames;
    struct tree_node *nodes;
    size_t n;
    size_t n_types;
    uint32_t max_depth;
    int64_t *self;
    int64_t *total;
    /* Of a comparison: what it is compared with (self and total are then of what is
     * compared); otherwise NULL. */
    int64_t *base_self;
    int64_t *base_total;
};

/* The tree of a profile's stacks, the outermost frames first. It borrows the profile; tree_free
 * gives it back. */
struct tree *tree_new(const struct profile *p);
/* NULL is fine. */
void tree_free(struct tree *t);

#endif
