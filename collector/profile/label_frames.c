/* Labels as frames (-tagroot, -tagleaf), and the units of numeric labels. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "profile/profile_ops.h"
#include "profile/unit.h"

const char *profile_label_unit(const struct profile *p, const char *key)
{
    for (size_t i = 0; i < p->n_samples; i++)
        for (size_t j = 0; j < p->samples[i]->n_labels; j++) {
            const struct profile_label *l = &p->samples[i]->labels[j];
            if (!l->str && *l->unit && strcmp(l->key, key) == 0)
                return l->unit;
        }
    if (strcmp(key, "request") == 0 || strcmp(key, "alignment") == 0)
        return "bytes";
    return key;
}

struct made_frame {
    UT_hash_handle hh;
    struct profile_location *location;
    char name[];
};

/* A frame is a function named after the value, in a file named after the key. */
static struct profile_location *frame_for(struct profile *p, struct made_frame **made,
                                          const char *key, const char *value)
{
    char *name = mem_printf("%s\n%s", key, value);
    struct made_frame *e;
    HASH_FIND_STR(*made, name, e);
    if (!e) {
        e = profile_alloc(p, sizeof(*e) + strlen(name) + 1);
        strcpy(e->name, name);
        e->location = profile_add_location(p, NULL, 0, 1);
        e->location->lines[0].function = profile_add_function(p, value, "", key, 0);
        HASH_ADD_STR(*made, name, e);
    }
    free(name);
    return e->location;
}

/* All values of a key in one sample, joined by commas: "web,db"; "" if none.
 * malloc'ed. */
static char *label_values(const struct profile_sample *s, const char *key, const char *unit)
{
    char *text = mem_strdup(""), number[UNIT_TEXT];
    for (size_t i = 0; i < s->n_labels; i++) {
        const struct profile_label *l = &s->labels[i];
        if (strcmp(l->key, key) != 0)
            continue;
        const char *value =
            l->str ? l->str : unit_format(number, l->num, l->unit, *l->unit ? unit : "");
        char *longer = mem_printf("%s%s%s", text, *text ? "," : "", value);
        free(text);
        text = longer;
    }
    return text;
}

static size_t count_keys(const char *keys)
{
    size_t n = 1;
    for (; *keys; keys++)
        n += *keys == ',';
    return n;
}

/* The frames of one list of keys for one sample, the first key first. */
static size_t frames_of(struct profile *p, struct made_frame **made, const struct profile_sample *s,
                        const char *keys, const char *unit, struct profile_location **frames,
                        bool *any)
{
    char *copy = mem_strdup(keys), *rest = copy, *key;
    char **list = mem_zero(count_keys(keys), sizeof(*list));
    size_t n = 0;
    while ((key = strsep(&rest, ",")))
        if (*key)
            list[n++] = key;
    /* Backwards, so that new locations get the ids pprof gives them. */
    for (size_t i = n; i-- > 0;) {
        char *value = label_values(s, list[i], unit);
        *any = *any || *value;
        frames[i] = frame_for(p, made, list[i], value);
        free(value);
    }
    free(list);
    free(copy);
    return n;
}

unsigned profile_add_tag_frames(struct profile *p, const char *root_keys, const char *leaf_keys,
                                const char *unit)
{
    struct made_frame *made = NULL;
    bool any_root = false, any_leaf = false;
    root_keys = root_keys ? root_keys : "";
    leaf_keys = leaf_keys ? leaf_keys : "";
    if (!*root_keys && !*leaf_keys)
        return 0;
    struct profile_location **roots = mem_zero(count_keys(root_keys), sizeof(*roots));
    struct profile_location **leaves = mem_zero(count_keys(leaf_keys), sizeof(*leaves));
    for (size_t i = 0; i < p->n_samples; i++) {
        struct profile_sample *s = p->samples[i];
        size_t n_roots = frames_of(p, &made, s, root_keys, unit, roots, &any_root);
        size_t n_leaves = frames_of(p, &made, s, leaf_keys, unit, leaves, &any_leaf);
        size_t n = n_leaves + s->n_locations + n_roots, at = 0;
        struct profile_location **all = profile_alloc(p, n * sizeof(*all));
        while (n_leaves)
            all[at++] = leaves[--n_leaves];
        for (size_t j = 0; j < s->n_locations; j++)
            all[at++] = s->locations[j];
        while (n_roots)
            all[at++] = roots[--n_roots];
        s->locations = all;
        s->n_locations = n;
    }
    HASH_CLEAR(hh, made);
    free(roots);
    free(leaves);
    return (any_root ? 1u : 0) | (any_leaf ? 2u : 0);
}
