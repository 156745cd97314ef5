#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "profile/profile_io.h"

static int run_symbolize(struct cli_options *o)
{
    struct error err;
    if (!o->output) {
        fprintf(stderr, "prof symbolize: where to? give --output FILE (- is standard output)\n");
        return 2;
    }
    if (o->output[0] == '-' && !o->output[1] && isatty(STDOUT_FILENO))
        return cli_fail("standard output", "is a terminal: the result is binary");
    struct profile *p = cli_load(o, 0, NULL);
    if (!p)
        return 1;
    bool ok = profile_write_file(p, o->output, &err);
    profile_free(p);
    return ok ? 0 : cli_fail(o->output, err.text);
}

const struct command cmd_symbolize = {
    .name = "symbolize",
    .usage = "FILE... -o OUT",
    .summary = "write the profile with names, files and lines in it",
    .help =
        "Programs that are no Go programs can't be symbolized by `go tool pprof`, nor by\n"
        "anybody on another machine. What this writes shows names everywhere, needs no\n"
        "binaries, and keeps addresses, mappings and build ids.\n"
        "\n"
        "Names come from the files the profile's mappings name, if their build ids are\n"
        "still the same; from debug files in /usr/lib/debug; from .gnu_debuglink files;\n"
        "from debuginfod servers if DEBUGINFOD_URLS is set; and for code made at run time\n"
        "from /tmp/perf-PID.map. Inlined functions are expanded. What is missing, and what\n"
        "would help, is told on standard error. Results are kept in\n"
        "$XDG_CACHE_HOME/libprof (~/.cache/libprof).\n"
        "\n"
        "Frames that the profile's own drop_frames names (allocators) are removed.\n"
        "\n"
        "Examples:\n"
        "  prof symbolize app.4242.0001.heap.pb.gz -o heap.pb.gz; go tool pprof -top heap.pb.gz\n"
        "  prof symbolize --full libprof.out -o - | ssh host 'cat >heap.pb.gz'\n",
    .run = run_symbolize,
    .options = "output force " LOAD_OPTIONS,
};
