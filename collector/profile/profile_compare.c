/* Two profiles: their difference, and the same total. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "profile/profile_ops.h"

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
