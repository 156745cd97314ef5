#include <stdlib.h>

#include "cli/commands.h"

static int run_top(struct cli_options *o)
{
    struct report r;
    struct profile_error err;
    struct profile *p = cli_load(o, 0, NULL);
    if (!p)
        return 1;
    int status = 1;
    if (!report_open(&r, p, &o->report, &err)) {
        cli_fail(o->arguments[0], err.text);
    } else {
        FILE *out = cli_open_output(o);
        if (out) {
            report_top(&r, out);
            status = cli_close_output(o, out, true);
        }
    }
    profile_free(p);
    return status;
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
