#include "export/format.h"

#include <string.h>

#include "base/mem.h"

bool export_is_base(const struct profile_sample *s)
{
    const struct profile_label *label = profile_find_label(s, "pprof::base");
    return label && label->str && strcmp(label->str, "true") == 0;
}

bool export_is_diff(const struct profile *p)
{
    for (size_t i = 0; i < p->n_samples; i++)
        if (export_is_base(p->samples[i]))
            return true;
    return false;
}

bool export_check_positive(const struct profile *p, int type, const char *format, struct error *err)
{
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *s = p->samples[i];
        /* One value beside the other is a comparison that loses nothing. */
        bool is_base = type >= 0 && export_is_base(s);
        for (size_t t = 0; t < p->n_sample_types; t++) {
            if (type >= 0 && t != (size_t)type)
                continue;
            if (is_base ? s->values[t] > 0 : s->values[t] < 0)
                return fail_with(err,
                                 "%s has negative values (of %s), which the %s format cannot "
                                 "hold; use json, text or pb",
                                 export_is_diff(p) ? "the comparison" : "the difference",
                                 p->sample_types[t].type, format);
        }
    }
    return true;
}

int64_t export_add(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return b < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

int64_t export_total(const struct profile *p, int type, bool base)
{
    int64_t total = 0;
    for (size_t i = 0; i < p->n_samples; i++) {
        int64_t value = p->samples[i]->values[type];
        if (export_is_base(p->samples[i]) != base)
            continue;
        if (base)
            value = value == INT64_MIN ? INT64_MAX : -value;
        total = export_add(total, value);
    }
    return total;
}

char *export_title(const struct profile *p, const struct export_options *options)
{
    const char *program = profile_program_name(p);
    if (options->title)
        return mem_strdup(options->title);
    return mem_printf("%s%s%s", program, *program ? ": " : "", p->sample_types[options->type].type);
}
