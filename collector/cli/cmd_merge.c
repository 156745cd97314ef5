/* merge, diff and filter: from profiles to profiles. */
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/run_report.h"
#include "profile/profile_io.h"

static int check_output(struct cli_options *o, const char *command)
{
    if (!o->output) {
        fprintf(stderr, "prof %s: where to? give --output FILE (- is standard output)\n", command);
        return 2;
    }
    if (o->output[0] == '-' && !o->output[1] && isatty(STDOUT_FILENO))
        return cli_fail("standard output", "is a terminal: the result is binary");
    return 0;
}

static int write_result(struct cli_options *o, struct profile *p)
{
    struct error err;
    bool ok = profile_write_file(p, o->output, &err);
    profile_free(p);
    return ok ? 0 : cli_fail(o->output, err.text);
}

static int run_merge(struct cli_options *o)
{
    int status = check_output(o, "merge");
    if (status)
        return status;
    o->as_is = true;
    struct profile *p = cli_load(o, 0, NULL);
    return p ? write_result(o, p) : 1;
}

static int run_filter(struct cli_options *o)
{
    struct error err;
    int status = check_output(o, "filter");
    if (status)
        return status;
    struct profile *p = cli_load(o, 0, NULL), *compact = NULL;
    if (!p)
        return 1;
    if (!profile_apply_filter(p, &o->report.filter, cli_notice, o, &err) ||
        !(compact = profile_merge(&p, 1, &err)))
        status = cli_fail(o->arguments[0], err.text);
    profile_free(p);
    return compact ? write_result(o, compact) : status;
}

static bool print_top(struct report *r, const char *symbol, FILE *out, struct error *err)
{
    (void)symbol;
    (void)err;
    report_top(r, out);
    return true;
}

static int run_diff(struct cli_options *o)
{
    struct stat info;
    if (o->n_arguments == 1 && stat(o->arguments[0], &info) == 0 && S_ISDIR(info.st_mode)) {
        o->diff_base = o->arguments[0];
        o->base_run = "-1";
        return cli_run_report(o, 0, NULL, print_top);
    }
    if (o->n_arguments < 2) {
        fprintf(stderr, "prof diff: give the profile before and the one after, or a directory "
                        "with two runs of prof run\n");
        return 2;
    }
    o->diff_base = o->arguments[0];
    return cli_run_report(o, 1, NULL, print_top);
}

const struct command cmd_merge = {
    .name = "merge",
    .usage = "FILE... -o OUT",
    .summary = "add profiles up into one file",
    .help = "Runs of one program add up although its addresses differ from run to run. All\n"
            "profiles must have the same types of value. Names are not looked up, nothing is\n"
            "left out: see prof symbolize, prof filter. With -base a profile is subtracted.\n"
            "\n"
            "Example:\n"
            "  prof merge run1/app.1.0001.cpu.pb.gz run2/app.2.0001.cpu.pb.gz -o cpu.pb.gz\n",
    .run = run_merge,
    .options = "output base diff_base normalize profile program run seconds http quiet",
};

const struct command cmd_filter = {
    .name = "filter",
    .usage = "[OPTIONS] FILE... -o OUT",
    .summary = "write the part of a profile that matters",
    .help = "Samples and frames are picked by the options of `go tool pprof`; the result is a\n"
            "profile with names in it.\n"
            "\n"
            "Example:\n"
            "  prof filter -focus '^render' -hide 'std::' -tagfocus thread=main F -o OUT\n",
    .run = run_filter,
    .options = "output " FILTER_OPTIONS LOAD_OPTIONS,
};

const struct command cmd_diff = {
    .name = "diff",
    .usage = "[OPTIONS] BEFORE AFTER... | DIR",
    .summary = "what became more and what less, by function",
    .help = "As prof top, for the difference: what AFTER has more is positive. Percentages are\n"
            "of BEFORE's total. The same as prof top -diff_base BEFORE AFTER. Of a directory the\n"
            "last two runs of prof run are compared.\n"
            "\n"
            "Example:\n"
            "  prof diff --cum app.4242.0001.heap.pb.gz app.4242.0002.heap.pb.gz\n",
    .run = run_diff,
    .options = REPORT_OPTIONS,
};
