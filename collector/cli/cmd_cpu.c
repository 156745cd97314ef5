#include <stdio.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "profile/profile_io.h"

static int run_cpu(struct cli_options *o)
{
    struct error err;
    struct report r;
    unsigned seconds = remote_seconds(o, 30);
    if (o->n_arguments != 1) {
        fprintf(stderr, "prof cpu: of which process? give one PID: see prof ps\n");
        return 2;
    }
    if (!seconds)
        return 2;
    struct profile *profile = remote_profile(o->http, o->arguments[0], "profile", seconds, &err);
    bool good = profile != NULL;
    if (good && o->output) {
        good = profile_write_file(profile, o->output, &err);
    } else if (good) {
        good = report_open(&r, profile, &o->report, &err);
        if (good)
            report_top(&r, stdout);
    }
    profile_free(profile);
    return good ? 0 : cli_fail(o->arguments[0], err.text);
}

const struct command cmd_cpu = {
    .name = "cpu",
    .usage = "[OPTIONS] PID",
    .summary = "a CPU profile of the next seconds of a process that a collector knows",
    .help = "Writes it to -o FILE, or prints it as prof top does. Any number may run at once.\n"
            "\n"
            "Example:\n"
            "  prof cpu 4242 --seconds 30 -o cpu.pb.gz; prof tree cpu.pb.gz\n",
    .run = run_cpu,
    .options = "http seconds output nodecount cum lines",
};
