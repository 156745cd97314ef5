#include "cli/run_report.h"

#include <stdlib.h>

#include "base/mem.h"

/* A heap of which nothing is left looks like an empty profile. */
static void hint_at_other_types(struct cli_options *o, const struct report *r)
{
    const struct profile *p = r->p;
    if (r->total || o->report.sample_index || o->base || o->diff_base)
        return;
    for (size_t type = p->n_sample_types; type-- > 0;)
        for (size_t i = 0; i < p->n_samples; i++)
            if (p->samples[i]->values[type]) {
                char *text =
                    mem_printf("there is no %s in it, but %s: see -sample_index=%s", r->type_name,
                               p->sample_types[type].type, p->sample_types[type].type);
                cli_notice(o, text);
                free(text);
                return;
            }
}

int cli_run_report(struct cli_options *o, int first, const char *symbol, report_fn *print)
{
    struct report r;
    struct error err;
    struct profile *p = cli_load(o, first, NULL);
    if (!p)
        return 1;
    int status = 1;
    if (!report_open(&r, p, &o->report, &err)) {
        cli_fail(o->arguments[first], err.text);
    } else {
        hint_at_other_types(o, &r);
        FILE *out = cli_open_output(o);
        bool ok = out && print(&r, symbol, out, &err);
        if (out)
            status = cli_close_output(o, out, ok);
        if (out && !ok)
            cli_fail(o->arguments[first], err.text);
    }
    profile_free(p);
    return status;
}
