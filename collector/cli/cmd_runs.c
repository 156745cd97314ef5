/* prof runs: which runs a directory holds. */
#include <stdlib.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/runs.h"

#define DEFAULT_DIR "libprof.out"

static void print_run(const struct run *run)
{
    char when[32] = "";
    time_t seconds = (time_t)(run->started_ns / 1000000000);
    struct tm local;
    if (localtime_r(&seconds, &local))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
    printf("%5u  %-19s  ", run->number, when);
    if (run->ended_ns)
        printf("%9.1f s", (double)(run->ended_ns - run->started_ns) * 1e-9);
    else
        printf("%11s", "-");
    printf("  %5zu  %s\n", run->n_dumps, run->command);
}

static int run_runs(struct cli_options *o)
{
    const char *dir = o->n_arguments ? o->arguments[0] : DEFAULT_DIR;
    struct runs runs;
    if (o->n_arguments > 1) {
        fprintf(stderr, "prof runs: give one directory\n");
        return 2;
    }
    runs_read(dir, &runs);
    if (!runs.n)
        return cli_fail(dir, "no run of prof run is noted in this directory");
    printf("%5s  %-19s  %11s  %5s  %s\n", "run", "started", "took", "dumps", "command");
    for (size_t i = 0; i < runs.n; i++)
        print_run(&runs.list[i]);
    runs_free(&runs);
    return 0;
}

const struct command cmd_runs = {
    .name = "runs",
    .usage = "[DIR]",
    .summary = "the runs of prof run that a directory holds",
    .help = "Other commands take a directory (libprof.out unless told otherwise) for its last\n"
            "run; --run N picks another one, --run -1 the one before the last, --run all adds all\n"
            "of them up. `prof diff DIR` compares the last two.\n"
            "\n"
            "Examples:\n"
            "  prof runs\n"
            "  prof top --run 1 libprof.out\n",
    .run = run_runs,
    .options = "",
};
