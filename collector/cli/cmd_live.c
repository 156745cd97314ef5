/* prof live: the busiest functions of the last seconds, again and again. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "profile/profile_ops.h"

static volatile sig_atomic_t ended;

static void end(int signo)
{
    (void)signo;
    ended = 1;
}

static void print_top(FILE *out, struct cli_options *o, const char *title, struct profile *profile,
                      const char *type, long rows)
{
    struct report r;
    struct report_options options = o->report;
    struct error err;
    options.compact_labels = true;
    options.node_count = rows;
    options.sample_index = type;
    fprintf(out, "\n%s\n", title);
    if (profile->n_samples == 0)
        fputs("  nothing\n", out);
    else if (profile_prune(profile, &err) && report_open(&r, profile, &options, &err))
        report_top(&r, out);
    else
        fprintf(out, "  %s\n", err.text);
}

/* One screen into text, so that it appears at once. NULL: told in *err. */
static char *make_screen(struct cli_options *o, const char *id, unsigned seconds, long rows,
                         bool *running, struct error *err)
{
    char *text = NULL, inuse[32], peak[32];
    size_t size, n;
    struct profile *cpu = remote_profile(o->http, id, "profile", seconds, err);
    struct profile *heap = cpu ? remote_profile(o->http, id, "heap", 0, err) : NULL;
    struct remote_process *list = heap ? remote_list(o->http, &n, err) : NULL;
    const struct remote_process *process = list ? remote_find(list, n, id) : NULL;
    if (list && !process)
        fail_with(err, "no such process at the collector: see prof ps");
    if (process) {
        FILE *out = open_memstream(&text, &size);
        *running = strcmp(process->state, "running") == 0;
        remote_bytes((double)process->heap_inuse, inuse, sizeof inuse);
        remote_bytes((double)process->heap_peak, peak, sizeof peak);
        fprintf(out, "%s %s: %s, %u threads, %.2f s of CPU, heap %s (peak %s)\n", process->id,
                process->exe, process->state, process->threads, (double)process->cpu_ns * 1e-9,
                inuse, peak);
        print_top(out, o, "CPU, last seconds", cpu, NULL, rows);
        print_top(out, o, "Heap in use", heap, "inuse_space", rows);
        fclose(out);
    }
    remote_free(list, list ? n : 0);
    profile_free(cpu);
    profile_free(heap);
    return text;
}

static int run_live(struct cli_options *o)
{
    bool terminal = isatty(STDOUT_FILENO), running = true;
    struct sigaction action = {.sa_handler = end};
    unsigned seconds = remote_seconds(o, 2);
    if (o->n_arguments != 1) {
        fprintf(stderr, "prof live: which process? give one PID: see prof ps\n");
        return 2;
    }
    if (!seconds)
        return 2;
    sigaction(SIGINT, &action, NULL);
    do {
        struct winsize window = {.ws_row = 40};
        struct error err;
        if (terminal)
            ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
        long rows = window.ws_row > 24 ? (window.ws_row - 14) / 2 : 5;
        char *text = make_screen(o, o->arguments[0], seconds, rows, &running, &err);
        if (!text)
            return ended ? 0 : cli_fail(o->arguments[0], err.text);
        printf("%s%s", terminal ? "\033[H\033[J" : "", text);
        fflush(stdout);
        free(text);
    } while (terminal && running && !ended);
    return 0;
}

const struct command cmd_live = {
    .name = "live",
    .usage = "[OPTIONS] PID",
    .summary = "watch a process that a collector knows, like top",
    .help = "Shows where its CPU time went in the last seconds and what its heap holds, until\n"
            "Ctrl-C or its end. Without a terminal it prints one screen.\n",
    .run = run_live,
    .options = "http seconds cum lines",
};
