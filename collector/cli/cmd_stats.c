/* stats and leaks: the heap at a glance. */
#include "cli/commands.h"
#include "cli/run_report.h"

static bool print_stats(struct report *r, const char *symbol, FILE *out, struct error *err)
{
    (void)symbol;
    (void)err;
    report_stats(r, out);
    return true;
}

static int run_stats(struct cli_options *o)
{
    o->report.granularity = PROFILE_ADDRESSES; /* addresses and lines are counted */
    return cli_run_report(o, 0, NULL, print_stats);
}

/* `symbol` carries the suppression file. */
static int run_leaks(struct cli_options *o)
{
    o->report.granularity = PROFILE_ADDRESSES;
    return cli_run_report(o, 0, o->suppressions, report_leaks);
}

const struct command cmd_stats = {
    .name = "stats",
    .usage = "[OPTIONS] FILE...",
    .summary = "totals, losses and the largest places, on one page",
    .help = "Totals of every type, how much of the allocations was temporary, how complete\n"
            "stacks and names are, what the process told about its memory and about what\n"
            "was lost, and the ten largest places.\n"
            "\n"
            "Example:\n"
            "  prof stats app.4242.0001.heap.pb.gz\n",
    .run = run_stats,
    .options = REPORT_OPTIONS,
};

const struct command cmd_leaks = {
    .name = "leaks",
    .usage = "[OPTIONS] FILE...",
    .summary = "what is still in use (of a dump at exit: leaked), by stack",
    .help = "For each stack that allocated memory that is in use: how much, and the frames.\n"
            "Take the dump written at exit, and LIBPROF_HEAP_RATE=1 to miss nothing. Memory\n"
            "that is still reachable is listed too: suppress what is meant to stay, with a\n"
            "file of lines `leak:PATTERN` as LeakSanitizer reads it (*, ^ and $ are special).\n"
            "\n"
            "Examples:\n"
            "  prof leaks -nodecount 10 app.4242.0001.heap.pb.gz\n"
            "  prof leaks --suppressions lsan.supp -focus libfoo app.4242.0001.heap.pb.gz\n",
    .run = run_leaks,
    .options = "suppressions " REPORT_OPTIONS,
};
