/* Values: scaling, differences, and the heap sampler's correction and its inverse. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "profile/profile_ops.h"

/* A double's range is wider than an integer's: damaged input may leave the latter. */
static int64_t to_integer(double value)
{
    if (isnan(value))
        return 0;
    return value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (int64_t)value;
}

struct profile *profile_copy(const struct profile *p)
{
    struct profile *out = profile_new();
    out->drop_frames = profile_intern(out, p->drop_frames);
    out->keep_frames = profile_intern(out, p->keep_frames);
    out->default_sample_type = profile_intern(out, p->default_sample_type);
    out->doc_url = profile_intern(out, p->doc_url);
    out->period_type.type = profile_intern(out, p->period_type.type);
    out->period_type.unit = profile_intern(out, p->period_type.unit);
    out->period = p->period;
    out->time_nanos = p->time_nanos;
    out->duration_nanos = p->duration_nanos;
    for (size_t i = 0; i < p->n_sample_types; i++)
        profile_add_sample_type(out, p->sample_types[i].type, p->sample_types[i].unit);
    for (size_t i = 0; i < p->n_comments; i++)
        profile_add_comment(out, p->comments[i]);
    for (size_t i = 0; i < p->n_mappings; i++) {
        struct profile_mapping *m = profile_add_mapping(out);
        *m = *p->mappings[i];
        m->file = profile_intern(out, p->mappings[i]->file);
        m->build_id = profile_intern(out, p->mappings[i]->build_id);
    }
    for (size_t i = 0; i < p->n_functions; i++) {
        const struct profile_function *f = p->functions[i];
        profile_add_function(out, f->name, f->system_name, f->filename, f->start_line);
    }
    for (size_t i = 0; i < p->n_locations; i++) {
        const struct profile_location *l = p->locations[i];
        struct profile_location *to = profile_add_location(
            out, l->mapping ? out->mappings[l->mapping->id - 1] : NULL, l->address, l->n_lines);
        to->is_folded = l->is_folded;
        for (size_t j = 0; j < l->n_lines; j++) {
            to->lines[j] = l->lines[j];
            to->lines[j].function = out->functions[l->lines[j].function->id - 1];
        }
    }
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *s = p->samples[i];
        struct profile_sample *to = profile_add_sample(out, s->n_locations, s->n_labels);
        memcpy(to->values, s->values, p->n_sample_types * sizeof(*s->values));
        for (size_t j = 0; j < s->n_locations; j++)
            to->locations[j] = out->locations[s->locations[j]->id - 1];
        for (size_t j = 0; j < s->n_labels; j++) {
            to->labels[j] = s->labels[j];
            to->labels[j].key = profile_intern(out, s->labels[j].key);
            to->labels[j].unit = profile_intern(out, s->labels[j].unit);
            if (s->labels[j].str)
                to->labels[j].str = profile_intern(out, s->labels[j].str);
        }
    }
    return out;
}

void profile_scale_n(struct profile *p, const double *factors)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n_samples; i++) {
        struct profile_sample *s = p->samples[i];
        bool any = false;
        for (size_t j = 0; j < p->n_sample_types; j++) {
            if (factors[j] == -1)
                s->values[j] = (int64_t)(0 - (uint64_t)s->values[j]); /* exact, however large */
            else if (factors[j] != 1)
                s->values[j] = to_integer(round((double)s->values[j] * factors[j]));
            any = any || s->values[j];
        }
        if (any)
            p->samples[kept++] = s;
    }
    p->n_samples = kept;
}

void profile_scale(struct profile *p, double factor)
{
    double *factors = mem_zero(p->n_sample_types, sizeof(*factors));
    for (size_t i = 0; i < p->n_sample_types; i++)
        factors[i] = factor;
    if (factor != 1)
        profile_scale_n(p, factors);
    free(factors);
}

static int64_t type_total(const struct profile *p, size_t type)
{
    int64_t sum = 0;
    for (size_t i = 0; i < p->n_samples; i++)
        sum += p->samples[i]->values[type];
    return sum;
}

bool profile_normalize(struct profile *p, const struct profile *base, struct error *err)
{
    if (p->n_sample_types != base->n_sample_types)
        return fail_with(err, "incompatible sample types: %zu in one profile, %zu in another",
                         p->n_sample_types, base->n_sample_types);
    double *factors = mem_zero(p->n_sample_types, sizeof(*factors));
    for (size_t i = 0; i < p->n_sample_types; i++) {
        int64_t mine = type_total(p, i);
        factors[i] = mine ? (double)type_total(base, i) / (double)mine : 0;
    }
    profile_scale_n(p, factors);
    free(factors);
    return true;
}

static void add_base_label(struct profile *p)
{
    for (size_t i = 0; i < p->n_samples; i++) {
        struct profile_sample *s = p->samples[i];
        struct profile_label *labels = profile_alloc(p, (s->n_labels + 1) * sizeof(*labels));
        if (s->n_labels)
            memcpy(labels, s->labels, s->n_labels * sizeof(*labels));
        labels[s->n_labels++] = (struct profile_label){
            .key = profile_intern(p, "pprof::base"),
            .str = profile_intern(p, "true"),
            .unit = profile_intern(p, ""),
        };
        s->labels = labels;
    }
}

struct profile *profile_subtract(const struct profile *p, const struct profile *base, bool diff,
                                 struct error *err)
{
    struct profile *negative = profile_copy(base);
    if (diff)
        add_base_label(negative);
    profile_scale(negative, -1);
    struct profile *both[] = {(struct profile *)(uintptr_t)p, negative};
    struct profile *out = profile_merge(both, 2, err);
    profile_free(negative);
    return out;
}

/* ---- Heap sampling ---- */

static double heap_factor(int64_t count, int64_t size, int64_t rate)
{
    double average = (double)size / (double)count;
    return 1 / (1 - exp(-average / (double)rate));
}

void profile_scale_heap(int64_t *count, int64_t *size, int64_t rate)
{
    if (!*count || !*size) {
        *count = *size = 0;
    } else if (rate > 1) {
        double factor = heap_factor(*count, *size, rate);
        *count = to_integer((double)*count * factor);
        *size = to_integer((double)*size * factor);
    }
}

/* How far a raw pair's scaled values are from the wanted ones. */
static double miss(int64_t count, int64_t size, int64_t rate, int64_t want_count, int64_t want_size)
{
    profile_scale_heap(&count, &size, rate);
    return fabs((double)(count - want_count)) / (double)want_count +
           fabs((double)(size - want_size)) / (double)want_size;
}

/* For a given raw count the scaled size rises with the raw size: the one that comes
 * nearest to want_size from below. */
static int64_t find_raw_size(int64_t count, int64_t want_size, int64_t rate)
{
    int64_t low = 1, high = want_size;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        int64_t c = count, s = middle;
        profile_scale_heap(&c, &s, rate);
        if (s <= want_size)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/*
 * The factor depends on the average size. Scaling keeps that but for truncation: the
 * true scaled count is between count and count + 1, which bounds the average and so
 * the raw count, to a handful. For each the raw size is searched for.
 */
static void unscale_positive(int64_t *count, int64_t *size, int64_t block, int64_t rate)
{
    int64_t want_count = *count, want_size = *size;
    int64_t least =
        (int64_t)((double)want_count / heap_factor(want_count + 1, want_size, rate)) - 1;
    int64_t most =
        (int64_t)((double)(want_count + 1) / heap_factor(want_count, want_size, rate)) + 2;
    double best = INFINITY;
    for (int64_t c = least > 1 ? least : 1; c <= most && best > 0; c++) {
        /* What the label says comes first: several raw pairs may fit. */
        int64_t near = find_raw_size(c, want_size, rate),
                tries[] = {c * block, near - 1, near, near + 1};
        for (int i = block > 0 ? 0 : 1; i < 4; i++) {
            double m = tries[i] > 0 ? miss(c, tries[i], rate, want_count, want_size) : INFINITY;
            if (m < best) {
                best = m;
                *count = c;
                *size = tries[i];
            }
        }
    }
}

void profile_unscale_heap(int64_t *count, int64_t *size, int64_t block, int64_t rate)
{
    if (rate <= 1 || !*count || !*size || (*count < 0) != (*size < 0))
        return;
    /* Differences of profiles: both are negative. */
    int64_t sign = *count < 0 ? -1 : 1;
    *count *= sign;
    *size *= sign;
    unscale_positive(count, size, block, rate);
    *count *= sign;
    *size *= sign;
}
