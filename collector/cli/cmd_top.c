#include "cli/commands.h"
#include "cli/run_report.h"

static bool print_top(struct report *r, const char *symbol, FILE *out, struct error *err)
{
    (void)symbol;
    (void)err;
    report_top(r, out);
    return true;
}

static int run_top(struct cli_options *o)
{
    return cli_run_report(o, 0, NULL, print_top);
}

const struct command cmd_top = {
    .name = "top",
    .usage = "[OPTIONS] FILE...",
    .summary = "where it goes: the functions that cost most",
    .help = "Prints a line for each function, the costliest first:\n"
            "  flat  what the function itself costs (allocates, burns, waits)\n"
            "  flat% the same in percent of the total; sum% adds up the lines so far\n"
            "  cum   with everything it calls\n"
            "\n"
            "A heap profile has four types of value: alloc_objects and alloc_space since the\n"
            "start, inuse_objects and inuse_space (shown unless told otherwise) now.\n"
            "\n"
            "Examples:\n"
            "  prof top app.4242.0001.heap.pb.gz\n"
            "  prof top --cum -n 20 --sample alloc_space libprof.out\n"
            "  prof top -base app.4242.0001.heap.pb.gz app.4242.0002.heap.pb.gz\n"
            "  prof top -lines -focus='parse_.*' app.4242.0001.cpu.pb.gz\n",
    .run = run_top,
    .options = REPORT_OPTIONS,
};
