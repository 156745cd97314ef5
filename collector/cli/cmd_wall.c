#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "profile/profile_io.h"
#include "symbolize/symbolize.h"
#include "wall/wall.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static bool is_interrupted(void *arg)
{
    (void)arg;
    return interrupted;
}

/* The number of a process, or 0. */
static pid_t process_number(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    return isdigit((unsigned char)*text) && number > 0 && !*end ? (pid_t)number : 0;
}

static void name_addresses(struct cli_options *o, struct profile *p)
{
    struct symbolize_options s = {
        .style = DEMANGLE_SHORT,
        .no_cache = o->no_cache,
        .progress = !o->quiet,
        .missing = cli_notice,
        .arg = o,
    };
    if (!o->no_symbols)
        symbolize_profile(p, &s);
}

/* Does a collector know the process? Its answer has the CPU profile's stacks, and names. */
static bool is_collected(struct cli_options *o)
{
    struct error ignored;
    size_t n = 0;
    struct remote_process *list = remote_list(o->http, &n, &ignored);
    const struct remote_process *found = list ? remote_find(list, n, o->arguments[0]) : NULL;
    bool collected = found && strcmp(found->state, "running") == 0;
    if (list)
        remote_free(list, n);
    return collected;
}

static struct profile *take(struct cli_options *o, pid_t pid, unsigned seconds, struct error *err)
{
    if (is_collected(o))
        return remote_profile(o->http, o->arguments[0], "wall", seconds, err);
    signal(SIGINT, on_interrupt); /* ends the window, and what was seen is shown */
    struct profile *p = wall_take(pid, seconds, is_interrupted, NULL, err);
    if (p)
        name_addresses(o, p);
    return p;
}

static int run_wall(struct cli_options *o)
{
    struct error err;
    struct report r;
    unsigned seconds = remote_seconds(o, 10);
    pid_t pid = o->n_arguments == 1 ? process_number(o->arguments[0]) : 0;
    if (!pid) {
        fprintf(stderr, "prof wall: of which process? give one process number\n");
        return 2;
    }
    if (!seconds)
        return 2;
    struct profile *p = take(o, pid, seconds, &err);
    if (!p)
        return cli_fail(o->arguments[0], err.text);
    char *summary = wall_summary(p);
    fprintf(stderr, "prof: %s: %s\n", o->arguments[0], summary);
    free(summary);
    bool good =
        o->output ? profile_write_file(p, o->output, &err) : report_open(&r, p, &o->report, &err);
    if (good && !o->output)
        report_top(&r, stdout);
    profile_free(p);
    return good ? 0 : cli_fail(o->output ? o->output : o->arguments[0], err.text);
}

const struct command cmd_wall = {
    .name = "wall",
    .usage = "[OPTIONS] PID",
    .summary = "where the time of every thread of any process goes: running, waiting, and for what",
    .help =
        "Looks from outside at a process, under libprof or not, for --seconds (10) or until\n"
        "Ctrl-C. No thread is stopped or woken. A line says how the time of all threads\n"
        "divides; then come the functions in which they waited. -o FILE writes the profile\n"
        "instead. Its samples have the labels state (running, runnable, lock, futex, sleep,\n"
        "poll, io, child, signal, page-fault), call, file, thread and tid. Time on a processor\n"
        "has the CPU profile's stacks where a collector (prof serve) knows the process, else\n"
        "one frame, [running].\n"
        "\n"
        "It takes the rights of a debugger: the same user and kernel.yama.ptrace_scope 0, or\n"
        "root.\n"
        "\n"
        "Examples:\n"
        "  prof wall 4242\n"
        "  prof wall 4242 --seconds 30 -o wall.pb.gz; prof tree -tagfocus state=io wall.pb.gz\n",
    .run = run_wall,
    .options = "http seconds output nodecount cum lines no-symbols no-cache quiet " FILTER_OPTIONS,
};
