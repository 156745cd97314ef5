#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "outside/outside.h"
#include "profile/profile_io.h"
#include "report/text.h"
#include "symbolize/symbolize.h"

/* The number of a process, or 0. A file of that name goes first: ./123 */
static pid_t process_number(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    return number > 0 && !*end && access(text, F_OK) != 0 ? (pid_t)number : 0;
}

static bool is_profile_name(const char *path)
{
    size_t length = path ? strlen(path) : 0;
    return length > 3 &&
           (strcmp(path + length - 3, ".gz") == 0 || strcmp(path + length - 3, ".pb") == 0);
}

static int print(struct cli_options *o, struct profile *p)
{
    uint64_t *entries = NULL;
    struct symbolize_options s = {
        .style = o->mangled ? DEMANGLE_NONE
                 : o->full  ? DEMANGLE_FULL
                            : DEMANGLE_SHORT,
        .no_cache = o->no_cache,
        .progress = !o->quiet,
        .entries = &entries,
        .missing = cli_notice,
        .arg = o,
    };
    if (!o->no_symbols)
        symbolize_profile(p, &s);
    FILE *out = cli_open_output(o);
    if (!out) {
        free(entries);
        return 1;
    }
    struct text_options t = {.entries = entries};
    if (o->debug == 1)
        text_print_debug1(p, "goroutine", &t, out);
    else
        text_print_debug2(p, &t, out);
    free(entries);
    return cli_close_output(o, out, true);
}

static int run_threads(struct cli_options *o)
{
    struct error err;
    if (o->n_arguments != 1) {
        fprintf(stderr, "prof threads: give one process number or one core file\n");
        return 2;
    }
    const char *name = o->arguments[0];
    pid_t pid = process_number(name);
    struct profile *p = pid ? outside_process(pid, &err) : outside_core(name, &err);
    if (!p)
        return cli_fail(name, err.text);
    int status = 0;
    if (!is_profile_name(o->output))
        status = print(o, p);
    else if (!profile_write_file(p, o->output, &err))
        status = cli_fail(o->output, err.text);
    profile_free(p);
    return status;
}

const struct command cmd_threads = {
    .name = "threads",
    .usage = "[OPTIONS] PID|CORE",
    .summary = "the stacks of all threads of any process or core file, now",
    .help = "The process need not have been started with libprof. Each thread is stopped for the\n"
            "moment in which its stack is read; that takes the rights of a debugger (ptrace).\n"
            "-debug 1 groups threads with the same stack. With -o NAME.pb.gz a profile is\n"
            "written instead, without names.\n"
            "\n"
            "Examples:\n"
            "  prof threads 4242\n"
            "  prof threads -debug 1 core.4242\n",
    .run = run_threads,
    .options = "debug output no-symbols full mangled no-cache quiet",
};
