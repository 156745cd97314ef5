/* The model's memory, strings and tables. */
#include "profile/profile.h"

#include <obstack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define obstack_chunk_alloc mem_alloc
#define obstack_chunk_free free

/* Chunks of this size keep the number of malloc calls low for large profiles. */
#define POOL_CHUNK 65536

struct interned {
    UT_hash_handle hh;
    char text[];
};

struct profile_pool {
    struct obstack memory;
    struct interned *strings;
    size_t cap_samples, cap_mappings, cap_locations, cap_functions, cap_comments, cap_types;
};

struct profile *profile_new(void)
{
    struct profile *p = mem_zero(1, sizeof(*p));
    p->pool = mem_zero(1, sizeof(*p->pool));
    obstack_begin(&p->pool->memory, POOL_CHUNK);
    const char *empty = profile_intern(p, "");
    p->drop_frames = p->keep_frames = p->default_sample_type = p->doc_url = empty;
    p->period_type.type = p->period_type.unit = empty;
    return p;
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    /* The entries themselves lie in the obstack: only uthash's table is freed. */
    HASH_CLEAR(hh, p->pool->strings);
    obstack_free(&p->pool->memory, NULL);
    free(p->pool);
    free(p->sample_types);
    free(p->samples);
    free(p->mappings);
    free(p->locations);
    free(p->functions);
    free(p->comments);
    free(p);
}

void *profile_alloc(struct profile *p, size_t size)
{
    return obstack_alloc(&p->pool->memory, size);
}

static void *alloc_zeroed(struct profile *p, size_t n, size_t size)
{
    if (n > SIZE_MAX / (size ? size : 1))
        mem_die();
    void *at = obstack_alloc(&p->pool->memory, n * size);
    if (n)
        memset(at, 0, n * size);
    return at;
}

const char *profile_intern_n(struct profile *p, const char *s, size_t n)
{
    struct interned *e;
    n = strnlen(s, n);
    HASH_FIND(hh, p->pool->strings, s, n, e);
    if (e)
        return e->text;
    e = obstack_alloc(&p->pool->memory, sizeof(*e) + n + 1);
    memcpy(e->text, s, n);
    e->text[n] = '\0';
    HASH_ADD_KEYPTR(hh, p->pool->strings, e->text, n, e);
    return e->text;
}

const char *profile_intern(struct profile *p, const char *s)
{
    return s ? profile_intern_n(p, s, strlen(s)) : profile_intern_n(p, "", 0);
}

void profile_add_sample_type(struct profile *p, const char *type, const char *unit)
{
    p->sample_types =
        mem_grow(p->sample_types, p->n_sample_types, &p->pool->cap_types, sizeof(*p->sample_types));
    p->sample_types[p->n_sample_types++] = (struct profile_value_type){
        .type = profile_intern(p, type),
        .unit = profile_intern(p, unit),
    };
}

void profile_add_comment(struct profile *p, const char *text)
{
    p->comments =
        mem_grow(p->comments, p->n_comments, &p->pool->cap_comments, sizeof(*p->comments));
    p->comments[p->n_comments++] = profile_intern(p, text);
}

struct profile_mapping *profile_add_mapping(struct profile *p)
{
    struct profile_mapping *m = alloc_zeroed(p, 1, sizeof(*m));
    m->file = m->build_id = profile_intern(p, "");
    p->mappings =
        mem_grow(p->mappings, p->n_mappings, &p->pool->cap_mappings, sizeof(*p->mappings));
    p->mappings[p->n_mappings++] = m;
    m->id = p->n_mappings;
    return m;
}

struct profile_function *profile_add_function(struct profile *p, const char *name,
                                              const char *system_name, const char *filename,
                                              int64_t start_line)
{
    struct profile_function *f = alloc_zeroed(p, 1, sizeof(*f));
    f->name = profile_intern(p, name);
    f->system_name = profile_intern(p, system_name);
    f->filename = profile_intern(p, filename);
    f->start_line = start_line;
    p->functions =
        mem_grow(p->functions, p->n_functions, &p->pool->cap_functions, sizeof(*p->functions));
    p->functions[p->n_functions++] = f;
    f->id = p->n_functions;
    return f;
}

void profile_set_lines(struct profile *p, struct profile_location *l, size_t n)
{
    l->lines = alloc_zeroed(p, n, sizeof(*l->lines));
    l->n_lines = n;
}

struct profile_location *profile_add_location(struct profile *p, struct profile_mapping *mapping,
                                              uint64_t address, size_t n_lines)
{
    struct profile_location *l = alloc_zeroed(p, 1, sizeof(*l));
    l->mapping = mapping;
    l->address = address;
    profile_set_lines(p, l, n_lines);
    p->locations =
        mem_grow(p->locations, p->n_locations, &p->pool->cap_locations, sizeof(*p->locations));
    p->locations[p->n_locations++] = l;
    l->id = p->n_locations;
    return l;
}

struct profile_sample *profile_add_sample(struct profile *p, size_t n_locations, size_t n_labels)
{
    struct profile_sample *s = alloc_zeroed(p, 1, sizeof(*s));
    s->n_locations = n_locations;
    s->locations = alloc_zeroed(p, n_locations, sizeof(*s->locations));
    s->values = alloc_zeroed(p, p->n_sample_types, sizeof(*s->values));
    s->n_labels = n_labels;
    s->labels = alloc_zeroed(p, n_labels, sizeof(*s->labels));
    const char *empty = n_labels ? profile_intern(p, "") : NULL;
    for (size_t i = 0; i < n_labels; i++)
        s->labels[i].key = s->labels[i].unit = empty;
    p->samples = mem_grow(p->samples, p->n_samples, &p->pool->cap_samples, sizeof(*p->samples));
    p->samples[p->n_samples++] = s;
    return s;
}

int profile_default_index(const struct profile *p)
{
    for (size_t i = 0; *p->default_sample_type && i < p->n_sample_types; i++)
        if (p->sample_types[i].type == p->default_sample_type)
            return (int)i;
    return (int)p->n_sample_types - 1;
}

int profile_find_index(const struct profile *p, const char *name, struct error *err)
{
    if (!p->n_sample_types) {
        fail_with(err, "profile has no samples");
        return -1;
    }
    if (!name || !*name)
        return profile_default_index(p);
    char *end;
    long n = strtol(name, &end, 10);
    if (!*end) {
        if (n >= 0 && (size_t)n < p->n_sample_types)
            return (int)n;
        fail_with(err, "sample_index %s is outside the range [0..%zu]", name,
                  p->n_sample_types - 1);
        return -1;
    }
    /* pprof's old option names put inuse_ before any type. */
    const char *plain = strncmp(name, "inuse_", 6) == 0 ? name + 6 : name;
    for (size_t i = 0; i < p->n_sample_types; i++)
        if (strcmp(p->sample_types[i].type, name) == 0 ||
            strcmp(p->sample_types[i].type, plain) == 0)
            return (int)i;
    char known[384] = "";
    for (size_t i = 0, at = 0; i < p->n_sample_types && at < sizeof(known); i++)
        at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", i ? ", " : "",
                               p->sample_types[i].type);
    fail_with(err, "no sample type '%.100s': the profile has %s", name, known);
    return -1;
}

const struct profile_label *profile_find_label(const struct profile_sample *s, const char *key)
{
    for (size_t i = 0; i < s->n_labels; i++)
        if (strcmp(s->labels[i].key, key) == 0)
            return &s->labels[i];
    return NULL;
}

static bool check_locations(const struct profile *p, struct error *err)
{
    for (size_t i = 0; i < p->n_locations; i++) {
        const struct profile_location *l = p->locations[i];
        if (l->mapping &&
            (l->mapping->id - 1 >= p->n_mappings || p->mappings[l->mapping->id - 1] != l->mapping))
            return fail_with(err, "location %zu: its mapping is not one of the profile's", i + 1);
        for (size_t j = 0; j < l->n_lines; j++) {
            const struct profile_function *f = l->lines[j].function;
            if (!f)
                return fail_with(err, "location id: %zu has a line with nil function", i + 1);
            if (f->id - 1 >= p->n_functions || p->functions[f->id - 1] != f)
                return fail_with(err, "location %zu: its function is not one of the profile's",
                                 i + 1);
        }
    }
    return true;
}

bool profile_check(const struct profile *p, struct error *err)
{
    if (!p->n_sample_types && p->n_samples)
        return fail_with(err, "missing sample type information");
    for (size_t i = 0; i < p->n_samples; i++)
        for (size_t j = 0; j < p->samples[i]->n_locations; j++) {
            const struct profile_location *l = p->samples[i]->locations[j];
            if (!l)
                return fail_with(err, "sample %zu has nil location", i + 1);
            if (l->id - 1 >= p->n_locations || p->locations[l->id - 1] != l)
                return fail_with(err, "sample %zu: its location is not one of the profile's",
                                 i + 1);
        }
    return check_locations(p, err);
}
