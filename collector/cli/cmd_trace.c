#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/remote.h"
#include "profile/profile_io.h"
#include "trace/encode.h"

/* "10" or "10s"; 0: it makes no sense. */
static unsigned read_seconds(const char *text)
{
    char *end;
    unsigned long seconds = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || (*end && strcmp(end, "s") != 0) || seconds > 86400)
        return 0;
    return (unsigned)seconds;
}

static int run_trace(struct cli_options *o)
{
    struct error err;
    enum trace_format format = TRACE_PERFETTO;
    size_t size;
    unsigned seconds = remote_seconds(o, 5), last = o->last ? read_seconds(o->last) : 0;
    if (o->n_arguments != 1) {
        fprintf(stderr, "prof trace: of which process? give one PID: see prof ps\n");
        return 2;
    }
    if (o->to && !trace_find_format(o->to, &format)) {
        fprintf(stderr, "prof trace: --to takes perfetto, chrome or json, not '%s'\n", o->to);
        return 2;
    }
    if (o->last && !last) {
        fprintf(stderr, "prof trace: --last takes seconds, such as 10s, not '%s'\n", o->last);
        return 2;
    }
    if (!seconds)
        return 2;
    const char *id = o->arguments[0], *to = o->to ? o->to : "perfetto";
    char *name = last ? mem_printf("trace?last=%u&format=%s", last, to)
                      : mem_printf("trace?seconds=%u&format=%s", seconds, to);
    char *bytes = remote_fetch(o->http, id, name, 0, &size, &err);
    char *path =
        o->output ? mem_strdup(o->output) : mem_printf("trace.%s.%s", id, trace_suffix(format));
    bool good = bytes && profile_write_bytes(path, bytes, size, &err);
    if (good && !o->quiet && strcmp(path, "-") != 0)
        fprintf(stderr, "prof: %s%s\n", path,
                format == TRACE_PERFETTO ? ": open it at ui.perfetto.dev" : "");
    int status = good ? 0 : cli_fail(bytes ? path : id, err.text);
    free(name);
    free(bytes);
    free(path);
    return status;
}

const struct command cmd_trace = {
    .name = "trace",
    .usage = "[OPTIONS] PID",
    .summary = "what happens in a process that a collector knows, for a timeline viewer",
    .help =
        "CPU samples, waits for locks, who ended them, sampled allocations, threads' begin and\n"
        "end: of the next --seconds (5), or with --last 10s of the past, which is kept where\n"
        "the process was started with LIBPROF_TRACE=flight (prof run --trace). A process of\n"
        "that kind leaves the trace of its last moments in the collector's directory when it\n"
        "ends, even by SIGKILL: PROGRAM.PID.pftrace.\n"
        "\n"
        "--to perfetto (ui.perfetto.dev), chrome (about:tracing) or json.\n"
        "\n"
        "Examples:\n"
        "  prof trace 4242 --seconds 5 -o app.pftrace\n"
        "  prof trace 4242 --last 10s --to json -o -\n",
    .run = run_trace,
    .options = "http seconds last to output quiet",
};
