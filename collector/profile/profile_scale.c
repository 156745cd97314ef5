/* Values: scaling, and the heap sampler's correction and its inverse. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "profile/profile_ops.h"

/* A double's range is wider than an integer's: damaged input may leave the latter. */
static int64_t to_integer(double value)
{
    if (isnan(value))
        return 0;
    return value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (int64_t)value;
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
