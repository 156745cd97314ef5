/* The heap's text form: `22: 81008 [59: 117000] @ 0x1 0x2`. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profile/profile_ops.h"
#include "profile/read_text_forms.h"

struct heap_numbers {
    int64_t inuse_count, inuse_size, alloc_count, alloc_size;
};

static bool parse_heap_numbers(const char **s, struct heap_numbers *n)
{
    return text_parse_int(s, &n->inuse_count) && text_parse_char(s, ':') &&
           text_parse_int(s, &n->inuse_size) && text_parse_char(s, '[') &&
           text_parse_int(s, &n->alloc_count) && text_parse_char(s, ':') &&
           text_parse_int(s, &n->alloc_size) && text_parse_char(s, ']') && text_parse_char(s, '@');
}

/* What follows the header's @: how values were sampled. */
static bool parse_heap_kind(struct text *t, const char *kind, bool *scaled)
{
    kind = text_skip_spaces(kind);
    size_t n = strcspn(kind, "/ \t");
    int64_t number = kind[n] == '/' ? strtoll(kind + n + 1, NULL, 10) : 0;
    *scaled = true;
    if (n == 4 && text_starts_with(kind, "heap")) {
        t->p->period = number / 2;
    } else if ((n == 7 && text_starts_with(kind, "heap_v2")) ||
               (n == 8 && text_starts_with(kind, "heapz_v2"))) {
        t->p->period = number;
    } else if (text_starts_with(kind, "heapprofile") || text_starts_with(kind, "growth") ||
               text_starts_with(kind, "fragmentation")) {
        t->p->period = 1;
        *scaled = false;
    } else {
        return text_fail(t, "unrecognized heap profile");
    }
    return true;
}

static bool add_heap_pair(struct text *t, int64_t count, int64_t size, bool scaled,
                          const char *what, int64_t *values, int64_t *block)
{
    if (!count && size)
        return fail_with(t->err, "line %lu: %s count was 0 but %s bytes was %" PRId64,
                         t->line_number, what, what, size);
    if (count) {
        if (count == -1 && size == INT64_MIN)
            return text_fail(t, "value is too large");
        *block = size / count;
        if (scaled)
            profile_scale_heap(&count, &size, t->p->period);
    }
    values[0] = count;
    values[1] = size;
    return true;
}

static bool read_heap_line(struct text *t, bool has_alloc, bool scaled)
{
    struct heap_numbers n;
    const char *s = t->line;
    int64_t block = 0, values[4];
    if (!parse_heap_numbers(&s, &n))
        return text_fail(t, "malformed sample");
    if (has_alloc &&
        !add_heap_pair(t, n.alloc_count, n.alloc_size, scaled, "allocation", values, &block))
        return false;
    if (!add_heap_pair(t, n.inuse_count, n.inuse_size, scaled, "inuse",
                       values + (has_alloc ? 2 : 0), &block) ||
        !text_parse_addresses(t, s))
        return false;
    struct profile_sample *sample = text_add_sample(t, block ? 1 : 0, false);
    memcpy(sample->values, values, t->p->n_sample_types * sizeof(*values));
    if (block) {
        sample->labels[0].key = profile_intern(t->p, "bytes");
        sample->labels[0].num = block;
    }
    return true;
}

bool text_read_heap(struct text *t)
{
    struct heap_numbers n;
    bool scaled;
    const char *s = strstr(t->line, "heap profile:") + strlen("heap profile:");
    text_set_period_type(t->p, "space", "bytes", 0);
    if (!parse_heap_numbers(&s, &n) || !parse_heap_kind(t, s, &scaled))
        return text_fail(t, "unrecognized heap profile header");
    /* Four columns only if the header tells the totals apart: Go's rule. */
    bool has_alloc = (n.alloc_count != n.inuse_count && n.alloc_count) ||
                     (n.alloc_size != n.inuse_size && n.alloc_size);
    /* Allocations first, so that in use, the last type, is the default. */
    if (has_alloc) {
        profile_add_sample_type(t->p, "alloc_objects", "count");
        profile_add_sample_type(t->p, "alloc_space", "bytes");
    }
    profile_add_sample_type(t->p, has_alloc ? "inuse_objects" : "objects", "count");
    profile_add_sample_type(t->p, has_alloc ? "inuse_space" : "space", "bytes");
    while (text_next_line(t) && !text_is_map_start(t->line))
        if (!text_is_blank(t->line) && !read_heap_line(t, has_alloc, scaled))
            return false;
    return true;
}
