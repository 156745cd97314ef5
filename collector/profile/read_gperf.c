/*
 * gperftools' CPU profile: machine words of the profiled machine (32 or 64 bits,
 * either byte order). Header 0 3 0 PERIOD(us) 0, then COUNT N PC*N with the leaf
 * first, the end 0 1 0, then the text of the memory map.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "profile/read_internal.h"

struct words {
    const unsigned char *at, *end;
    unsigned size; /* 4 or 8 */
    bool big_endian;
};

static bool next_value(struct words *w, uint64_t *value)
{
    if ((size_t)(w->end - w->at) < w->size)
        return false;
    *value = 0;
    for (unsigned i = 0; i < w->size; i++)
        *value |= (uint64_t)w->at[w->big_endian ? w->size - 1 - i : i] << (8 * i);
    w->at += w->size;
    return true;
}

static bool read_header(struct words *w, const unsigned char *data, size_t size, uint64_t *period)
{
    for (unsigned kind = 0; kind < 4; kind++) {
        uint64_t v[5] = {1, 0, 0, 0, 0};
        *w = (struct words){data, data + size, kind < 2 ? 8 : 4, kind & 1};
        bool ok = true;
        for (int i = 0; ok && i < 5; i++)
            ok = next_value(w, &v[i]);
        *period = v[3];
        if (ok && v[0] == 0 && v[1] == 3 && v[2] == 0 && v[3] > 0 && v[4] == 0)
            return true;
    }
    return false;
}

bool read_gperf_sniff(const unsigned char *data, size_t size)
{
    struct words w;
    uint64_t period;
    return read_header(&w, data, size, &period);
}

struct address_count {
    UT_hash_handle hh;
    uint64_t address;
    size_t n;
    struct profile_location *location;
};

static struct address_count *count_of(struct address_count **table, uint64_t address)
{
    struct address_count *e;
    HASH_FIND(hh, *table, &address, sizeof(address), e);
    if (!e) {
        e = mem_zero(1, sizeof(*e));
        e->address = address;
        HASH_ADD(hh, *table, address, sizeof(e->address), e);
    }
    return e;
}

static void free_counts(struct address_count *table)
{
    struct address_count *e, *next;
    HASH_ITER(hh, table, e, next)
    {
        HASH_DEL(table, e);
        free(e);
    }
}

static void drop_second(struct profile_sample *s)
{
    memmove(s->locations + 1, s->locations + 2, (s->n_locations - 2) * sizeof(*s->locations));
    s->n_locations--;
}

/* The signal handler's own frame stands behind the leaf of nearly every sample
 * (one in 32 may differ): it is taken out, up to two times. */
static void drop_handler_frames(struct profile *p)
{
    for (int round = 0; round < 2; round++) {
        struct address_count *table = NULL, *e, *next, *best = NULL;
        for (size_t i = 0; i < p->n_samples; i++)
            if (p->samples[i]->n_locations > 1)
                count_of(&table, p->samples[i]->locations[1]->address)->n++;
        HASH_ITER(hh, table, e, next)
        if (e->n >= p->n_samples - p->n_samples / 32)
            best = e;
        for (size_t i = 0; best && i < p->n_samples; i++)
            if (p->samples[i]->n_locations > 1 &&
                p->samples[i]->locations[1]->address == best->address)
                drop_second(p->samples[i]);
        free_counts(table);
    }
}

static bool read_samples(struct profile *p, struct words *w, struct error *err)
{
    struct address_count *table = NULL;
    uint64_t count, n, address;
    bool ended = false;
    while (next_value(w, &count) && next_value(w, &n)) {
        if (n > (size_t)(w->end - w->at) / w->size) {
            free_counts(table);
            return fail_with(err, "truncated: a stack claims %llu frames", (unsigned long long)n);
        }
        if (count == 0 && n == 1) {
            next_value(w, &address);
            ended = address == 0;
            if (ended)
                break;
            w->at -= w->size;
        }
        struct profile_sample *s = profile_add_sample(p, n, 0);
        s->values[0] = (int64_t)count;
        if (__builtin_mul_overflow(s->values[0], p->period, &s->values[1])) {
            free_counts(table);
            return fail_with(err, "a sample counts %llu: too large", (unsigned long long)count);
        }
        for (uint64_t i = 0; i < n; i++) {
            next_value(w, &address);
            struct address_count *e = count_of(&table, address - (i > 0));
            if (!e->location)
                e->location = profile_add_location(p, NULL, e->address, 0);
            s->locations[i] = e->location;
        }
    }
    free_counts(table);
    return ended || fail_with(err, "truncated: the end mark is missing");
}

struct profile *read_gperf(const unsigned char *data, size_t size, struct error *err)
{
    struct words w;
    uint64_t period = 0;
    struct profile *p = profile_new();
    read_header(&w, data, size, &period);
    profile_add_sample_type(p, "samples", "count");
    profile_add_sample_type(p, "cpu", "nanoseconds");
    p->period_type.type = profile_intern(p, "cpu");
    p->period_type.unit = profile_intern(p, "nanoseconds");
    if (__builtin_mul_overflow(period, 1000, &p->period)) {
        fail_with(err, "a period of %llu us: too large", (unsigned long long)period);
        profile_free(p);
        return NULL;
    }
    if (!read_samples(p, &w, err)) {
        profile_free(p);
        return NULL;
    }
    drop_handler_frames(p);
    read_maps(p, (const char *)w.at, (const char *)w.end);
    for (size_t i = 0; i < p->n_samples; i++) {
        struct profile_sample *s = p->samples[i];
        /* The leaf came from the context, and again from the walk, less one. */
        if (s->n_locations > 1 && s->locations[0]->address == s->locations[1]->address + 1)
            drop_second(s);
    }
    read_text_set_drop_frames(p);
    return p;
}
