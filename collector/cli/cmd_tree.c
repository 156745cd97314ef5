/* tree and peek: functions with their callers and callees. */
#include "cli/commands.h"
#include "cli/run_report.h"

static int run_tree(struct cli_options *o)
{
    return cli_run_report(o, 0, NULL, report_tree);
}

static int run_peek(struct cli_options *o)
{
    if (o->n_arguments < 2) {
        fprintf(stderr, "prof peek: give a function (a regular expression) and a file\n");
        return 2;
    }
    return cli_run_report(o, 1, o->arguments[0], report_tree);
}

const struct command cmd_tree = {
    .name = "tree",
    .usage = "[OPTIONS] FILE...",
    .summary = "each function with its callers and callees, cut to what matters",
    .help = "Each block is a function: above it who calls it, below it what it calls, each\n"
            "with what goes that way. Places below half a percent and calls below a tenth\n"
            "are left out, and all but 80 functions: see -nodefraction, -edgefraction,\n"
            "-nodecount, -trim=false.\n"
            "\n"
            "Example:\n"
            "  prof tree --cum app.4242.0001.cpu.pb.gz\n",
    .run = run_tree,
    .options = REPORT_OPTIONS,
};

const struct command cmd_peek = {
    .name = "peek",
    .usage = "[OPTIONS] FUNCTION FILE...",
    .summary = "who calls a function, and what it calls",
    .help = "FUNCTION is a regular expression. Nothing is left out, however small.\n"
            "\n"
            "Example:\n"
            "  prof peek '^parse_json$' app.4242.0001.heap.pb.gz\n",
    .run = run_peek,
    .options = REPORT_OPTIONS,
};
