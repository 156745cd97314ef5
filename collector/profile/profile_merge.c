/*
 * The sum of profiles. Each table has a key that says when two entries are the
 * same thing; an entry is carried over when the first sample that needs it is.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "profile/profile_ops.h"
#include "profile/unit.h"

struct entry {
    UT_hash_handle hh;
    void *object;
    uint64_t key[]; /* its length is the handle's keylen */
};

struct merger {
    struct profile *out;
    struct entry *samples, *locations, *functions, *mappings;
    /* Of the profile being read, by id - 1. */
    struct profile_location **location_of;
    struct profile_function **function_of;
    struct profile_mapping **mapping_of;
    uint64_t *key; /* scratch */
    size_t n_key, cap_key;
};

static void key_add(struct merger *m, uint64_t word)
{
    m->key = mem_grow(m->key, m->n_key, &m->cap_key, sizeof(*m->key));
    m->key[m->n_key++] = word;
}

/* Strings of `out` are interned: the pointer stands for the text. */
static void key_add_string(struct merger *m, const char *s)
{
    key_add(m, (uint64_t)(uintptr_t)profile_intern(m->out, s));
}

/* The object filed under m->key, or NULL. */
static void *key_find(struct merger *m, struct entry *table)
{
    struct entry *e;
    HASH_FIND(hh, table, m->key, m->n_key * sizeof(*m->key), e);
    return e ? e->object : NULL;
}

static void key_file(struct merger *m, struct entry **table, void *object)
{
    size_t size = m->n_key * sizeof(*m->key);
    struct entry *e = profile_alloc(m->out, sizeof(*e) + size);
    e->object = object;
    memcpy(e->key, m->key, size);
    HASH_ADD_KEYPTR(hh, *table, e->key, size, e);
}

/* Address randomisation moves mappings, and their end may be rounded or not:
 * neither start nor exact size tell two runs of one program apart. */
static struct profile_mapping *merge_mapping(struct merger *m, const struct profile_mapping *from)
{
    if (!from)
        return NULL;
    struct profile_mapping **known = &m->mapping_of[from->id - 1];
    if (*known)
        return *known;
    m->n_key = 0;
    key_add(m, (from->limit - from->start + 0xfff) & ~(uint64_t)0xfff);
    key_add(m, from->offset);
    key_add_string(m, *from->build_id ? from->build_id : from->file);
    struct profile_mapping *to = key_find(m, m->mappings);
    if (!to) {
        to = profile_add_mapping(m->out);
        uint64_t id = to->id;
        *to = *from;
        to->id = id;
        to->file = profile_intern(m->out, from->file);
        to->build_id = profile_intern(m->out, from->build_id);
        key_file(m, &m->mappings, to);
    }
    return *known = to;
}

static struct profile_function *merge_function(struct merger *m,
                                               const struct profile_function *from)
{
    struct profile_function **known = &m->function_of[from->id - 1];
    if (*known)
        return *known;
    m->n_key = 0;
    key_add_string(m, from->name);
    key_add_string(m, from->system_name);
    key_add_string(m, from->filename);
    key_add(m, (uint64_t)from->start_line);
    struct profile_function *to = key_find(m, m->functions);
    if (!to) {
        to = profile_add_function(m->out, from->name, from->system_name, from->filename,
                                  from->start_line);
        key_file(m, &m->functions, to);
    }
    return *known = to;
}

static struct profile_location *merge_location(struct merger *m,
                                               const struct profile_location *from)
{
    struct profile_location **known = &m->location_of[from->id - 1];
    if (*known)
        return *known;
    struct profile_mapping *mapping = merge_mapping(m, from->mapping);
    struct profile_function *functions[64], **f = functions;
    if (from->n_lines > 64)
        f = mem_zero(from->n_lines, sizeof(*f));
    for (size_t i = 0; i < from->n_lines; i++)
        f[i] = merge_function(m, from->lines[i].function);
    m->n_key = 0;
    key_add(m, from->address - (mapping ? from->mapping->start : 0));
    key_add(m, mapping ? mapping->id : 0);
    key_add(m, from->is_folded);
    for (size_t i = 0; i < from->n_lines; i++) {
        key_add(m, f[i]->id);
        key_add(m, (uint64_t)from->lines[i].line);
        key_add(m, (uint64_t)from->lines[i].column);
    }
    struct profile_location *to = key_find(m, m->locations);
    if (!to) {
        uint64_t moved = mapping ? mapping->start - from->mapping->start : 0;
        to = profile_add_location(m->out, mapping, from->address + moved, from->n_lines);
        to->is_folded = from->is_folded;
        for (size_t i = 0; i < from->n_lines; i++) {
            to->lines[i] = from->lines[i];
            to->lines[i].function = f[i];
        }
        key_file(m, &m->locations, to);
    }
    if (f != functions)
        free(f);
    return *known = to;
}

static int compare_label_keys(const void *a, const void *b)
{
    const struct profile_label *x = *(struct profile_label *const *)a;
    const struct profile_label *y = *(struct profile_label *const *)b;
    int by_key = strcmp(x->key, y->key);
    /* Several values of one key keep their order, which counts. */
    return by_key ? by_key : (x > y) - (x < y);
}

static void key_add_labels(struct merger *m, const struct profile_sample *from)
{
    const struct profile_label *few[16], **sorted = few;
    if (from->n_labels > 16)
        sorted = mem_zero(from->n_labels, sizeof(*sorted));
    for (size_t i = 0; i < from->n_labels; i++)
        sorted[i] = &from->labels[i];
    qsort(sorted, from->n_labels, sizeof(*sorted), compare_label_keys);
    for (size_t i = 0; i < from->n_labels; i++) {
        const struct profile_label *l = sorted[i];
        key_add_string(m, l->key);
        key_add(m, l->str != NULL);
        if (l->str) {
            key_add_string(m, l->str);
        } else {
            key_add(m, (uint64_t)l->num);
            key_add_string(m, l->unit);
        }
    }
    if (sorted != few)
        free(sorted);
}

static void merge_sample(struct merger *m, const struct profile_sample *from)
{
    size_t n_types = m->out->n_sample_types;
    bool zero = true;
    for (size_t i = 0; i < n_types; i++)
        zero = zero && !from->values[i];
    if (zero)
        return;
    for (size_t i = 0; i < from->n_locations; i++)
        merge_location(m, from->locations[i]);
    m->n_key = 0;
    key_add(m, from->n_locations);
    for (size_t i = 0; i < from->n_locations; i++)
        key_add(m, m->location_of[from->locations[i]->id - 1]->id);
    key_add_labels(m, from);
    struct profile_sample *to = key_find(m, m->samples);
    if (!to) {
        to = profile_add_sample(m->out, from->n_locations, from->n_labels);
        for (size_t i = 0; i < from->n_locations; i++)
            to->locations[i] = m->location_of[from->locations[i]->id - 1];
        for (size_t i = 0; i < from->n_labels; i++) {
            const struct profile_label *l = &from->labels[i];
            to->labels[i] = (struct profile_label){
                .key = profile_intern(m->out, l->key),
                .str = l->str ? profile_intern(m->out, l->str) : NULL,
                .num = l->num,
                .unit = profile_intern(m->out, l->unit),
            };
        }
        key_file(m, &m->samples, to);
    }
    for (size_t i = 0; i < n_types; i++)
        to->values[i] = (int64_t)((uint64_t)to->values[i] + (uint64_t)from->values[i]);
}

static void merge_one(struct merger *m, const struct profile *from)
{
    m->location_of = mem_zero(from->n_locations, sizeof(*m->location_of));
    m->function_of = mem_zero(from->n_functions, sizeof(*m->function_of));
    m->mapping_of = mem_zero(from->n_mappings, sizeof(*m->mapping_of));
    /* The first mapping is the main program's: it goes first even without samples. */
    if (!m->out->n_mappings && from->n_mappings)
        merge_mapping(m, from->mappings[0]);
    for (size_t i = 0; i < from->n_samples; i++)
        merge_sample(m, from->samples[i]);
    free(m->location_of);
    free(m->function_of);
    free(m->mapping_of);
}

/* Types differing in a plural s only are the same. */
static bool same_type(const struct profile_value_type *a, const struct profile_value_type *b)
{
    size_t n = strlen(a->type), k = strlen(b->type);
    n -= n && a->type[n - 1] == 's';
    k -= k && b->type[k - 1] == 's';
    return n == k && memcmp(a->type, b->type, n) == 0 && unit_compatible(a->unit, b->unit);
}

static bool check_compatible(const struct profile *a, const struct profile *b, struct error *err)
{
    if (*a->period_type.type && *b->period_type.type &&
        !same_type(&a->period_type, &b->period_type))
        return fail_with(err, "incompatible period types {%.60s %.60s} and {%.60s %.60s}",
                         a->period_type.type, a->period_type.unit, b->period_type.type,
                         b->period_type.unit);
    if (a->n_sample_types != b->n_sample_types)
        return fail_with(err, "incompatible sample types: %zu in one profile, %zu in another",
                         a->n_sample_types, b->n_sample_types);
    for (size_t i = 0; i < a->n_sample_types; i++)
        if (!same_type(&a->sample_types[i], &b->sample_types[i]))
            return fail_with(err, "incompatible sample types {%.60s %.60s} and {%.60s %.60s}",
                             a->sample_types[i].type, a->sample_types[i].unit,
                             b->sample_types[i].type, b->sample_types[i].unit);
    return true;
}

/* The finest unit among the inputs for each type, and what each input's values
 * have to be multiplied by. */
static const char *finest_unit(struct profile *const *in, size_t n, size_t type)
{
    const char *finest = in[0]->sample_types[type].unit, *unused;
    for (size_t i = 1; i < n; i++) {
        const char *unit = in[i]->sample_types[type].unit;
        if (unit_scale(1, unit, finest, &unused) < 1)
            finest = unit;
    }
    return finest;
}

static void merge_header(struct profile *out, struct profile *const *in, size_t n)
{
    const struct profile *first = in[0];
    for (size_t i = 0; i < first->n_sample_types; i++)
        profile_add_sample_type(out, first->sample_types[i].type, finest_unit(in, n, i));
    out->drop_frames = profile_intern(out, first->drop_frames);
    out->keep_frames = profile_intern(out, first->keep_frames);
    out->period_type.type = profile_intern(out, first->period_type.type);
    out->period_type.unit = profile_intern(out, first->period_type.unit);
    for (size_t i = 0; i < n; i++) {
        const struct profile *p = in[i];
        if (!out->time_nanos || p->time_nanos < out->time_nanos)
            out->time_nanos = p->time_nanos;
        if (__builtin_add_overflow(out->duration_nanos, p->duration_nanos, &out->duration_nanos))
            out->duration_nanos = INT64_MAX;
        if (!out->period || out->period < p->period)
            out->period = p->period;
        if (!*out->default_sample_type)
            out->default_sample_type = profile_intern(out, p->default_sample_type);
        if (!*out->doc_url)
            out->doc_url = profile_intern(out, p->doc_url);
        for (size_t j = 0; j < p->n_comments; j++) {
            const char *comment = profile_intern(out, p->comments[j]);
            size_t k = 0;
            while (k < out->n_comments && out->comments[k] != comment)
                k++;
            if (k == out->n_comments)
                profile_add_comment(out, comment);
        }
    }
}

/* True if some sample summed to zero: its locations may be needed by nobody. */
static bool has_zero_sample(const struct profile *p)
{
    for (size_t i = 0; i < p->n_samples; i++) {
        bool zero = true;
        for (size_t j = 0; j < p->n_sample_types; j++)
            zero = zero && !p->samples[i]->values[j];
        if (zero)
            return true;
    }
    return false;
}

/* `p` in the units of `out`: itself, or a copy with scaled values. */
static struct profile *with_units(struct profile *p, const struct profile *out, double *factors)
{
    bool same = true;
    const char *unused;
    for (size_t i = 0; i < p->n_sample_types; i++) {
        factors[i] = unit_scale(1, p->sample_types[i].unit, out->sample_types[i].unit, &unused);
        same = same && factors[i] == 1;
    }
    if (same)
        return p;
    struct profile *scaled = profile_copy(p);
    profile_scale_n(scaled, factors);
    return scaled;
}

struct profile *profile_merge(struct profile *const *in, size_t n, struct error *err)
{
    for (size_t i = 1; i < n; i++)
        if (!check_compatible(in[0], in[i], err))
            return NULL;
    struct merger m = {.out = profile_new()};
    merge_header(m.out, in, n);
    double *factors = mem_zero(m.out->n_sample_types, sizeof(*factors));
    for (size_t i = 0; i < n; i++) {
        struct profile *p = with_units(in[i], m.out, factors);
        merge_one(&m, p);
        if (p != in[i])
            profile_free(p);
    }
    free(factors);
    free(m.key);
    HASH_CLEAR(hh, m.samples);
    HASH_CLEAR(hh, m.locations);
    HASH_CLEAR(hh, m.functions);
    HASH_CLEAR(hh, m.mappings);
    if (!has_zero_sample(m.out))
        return m.out;
    struct profile *clean = profile_merge(&m.out, 1, err);
    profile_free(m.out);
    return clean;
}
