#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/remote.h"

static void print_process(const struct remote_process *process)
{
    char start[32], inuse[32], peak[32];
    time_t when = (time_t)process->start;
    struct tm tm;
    strftime(start, sizeof start, "%m-%d %H:%M:%S", localtime_r(&when, &tm));
    remote_bytes((double)process->heap_inuse, inuse, sizeof inuse);
    remote_bytes((double)process->heap_peak, peak, sizeof peak);
    printf("%-10s %-15s %-14s %9llu %9.2fs %11s %11s %4u  %s\n", process->id, process->state, start,
           (unsigned long long)process->samples, (double)process->cpu_ns * 1e-9, inuse, peak,
           process->threads, process->exe);
}

static void print_refused(const char *address)
{
    size_t n;
    struct remote_refusal *list = remote_refusals(address, &n);
    for (size_t i = 0; i < n; i++) {
        const struct remote_refusal *refusal = &list[i];
        printf("%sturned away %llu time%s: %s (user %s, last PID %s): %s\n", i ? "" : "\n",
               (unsigned long long)refusal->count, refusal->count > 1 ? "s" : "",
               *refusal->program ? refusal->program : "?", refusal->user, refusal->pid,
               refusal->reason);
    }
    remote_refusals_free(list, n);
}

static int run_ps(struct cli_options *o)
{
    struct error err;
    size_t n;
    struct remote_process *list = remote_list(o->http, &n, &err);
    if (!list)
        return cli_fail("ps", err.text);
    printf("%-10s %-15s %-14s %9s %10s %11s %11s %4s  %s\n", "PID", "STATE", "START", "SAMPLES",
           "CPU", "HEAP", "PEAK", "THR", "PROGRAM");
    for (size_t i = 0; i < n; i++)
        print_process(&list[i]);
    remote_free(list, n);
    print_refused(o->http);
    return 0;
}

const struct command cmd_ps = {
    .name = "ps",
    .usage = "[--http ADDRESS]",
    .summary = "list the processes that a collector knows",
    .help = "Asks the collector (prof serve, or prof run --http) at 127.0.0.1:6060, or at --http\n"
            "ADDRESS. PID is what other commands take; a program that went on as another one by\n"
            "exec is PID.1. Processes that the collector turned away are counted below.\n",
    .run = run_ps,
    .options = "http",
};
