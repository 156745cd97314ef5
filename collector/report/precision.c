#include "report/precision.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static double size_of(const struct profile_sample *sample)
{
    for (size_t i = 0; i < sample->n_labels; i++)
        if (!sample->labels[i].str && strcmp(sample->labels[i].key, "bytes") == 0)
            return (double)sample->labels[i].num;
    return 0;
}

static bool heap_precision(const struct report *r, struct report_precision *out)
{
    const struct profile *p = r->p;
    bool bytes = strcmp(r->unit, "bytes") == 0;
    double variance = 0;
    if (p->period <= 1 || (!bytes && strcmp(r->unit, "count") != 0))
        return false;
    for (size_t i = 0; i < p->n_samples; i++) {
        double value = fabs((double)p->samples[i]->values[r->index]), size = size_of(p->samples[i]);
        if (value == 0)
            continue;
        if (size <= 0)
            return false; /* its label was taken away: nothing is known of any total */
        double chance = -expm1(-size / (double)p->period), each = (bytes ? size : 1) / chance;
        out->samples += value / each;
        variance += value * each * (1 - chance);
    }
    out->error = sqrt(variance);
    return true;
}

bool report_precision(const struct report *r, struct report_precision *out)
{
    const struct profile *p = r->p;
    *out = (struct report_precision){0, 0};
    if (r->o.mean || (r->o.divide_by != 0 && r->o.divide_by != 1))
        return false;
    if (strcmp(p->period_type.type, "space") == 0)
        return heap_precision(r, out);
    if (strcmp(p->period_type.type, "cpu") != 0 || p->n_sample_types == 0 ||
        strcmp(p->sample_types[0].type, "samples") != 0)
        return false;
    for (size_t i = 0; i < p->n_samples; i++)
        out->samples += fabs((double)p->samples[i]->values[0]);
    return true;
}

void report_warn_of_few_samples(const struct report *r, int64_t shown)
{
    struct report_precision precision;
    char total[UNIT_TEXT], error[UNIT_TEXT];
    if (!r->o.notice || !r->total || !report_precision(r, &precision))
        return;
    double samples = precision.samples * fabs((double)shown / (double)r->total);
    if (samples >= REPORT_FEW_SAMPLES || samples <= 0)
        return;
    bool heap = strcmp(r->p->period_type.type, "space") == 0;
    /* Blocks much larger than the rate are all recorded: a total of those is exact. */
    if (heap && precision.error < 0.01 * fabs((double)r->total))
        return;
    char *text =
        heap ? mem_printf(
                   "the rows shown rest on some %.0f samples: the total is ~%s +- %s (standard "
                   "error); prof run --exact, or a smaller LIBPROF_HEAP_RATE, tells more",
                   ceil(samples), report_value(r, total, r->total),
                   report_value(r, error, (int64_t)precision.error))
             : mem_printf("the rows shown rest on some %.0f samples; a longer run, or a higher "
                          "LIBPROF_CPU_HZ, tells more",
                          ceil(samples));
    r->o.notice(r->o.notice_arg, text);
    free(text);
}
