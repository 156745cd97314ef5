#include "cli/run_report.h"

int cli_run_report(struct cli_options *o, int first, const char *symbol, report_fn *print)
{
    struct report r;
    struct profile_error err;
    struct profile *p = cli_load(o, first, NULL);
    if (!p)
        return 1;
    int status = 1;
    if (!report_open(&r, p, &o->report, &err)) {
        cli_fail(o->arguments[first], err.text);
    } else {
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
