#include "cli/run_summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/remote.h"

#define ROWS 20

struct row {
    struct process *process;
    struct process_totals totals;
    struct process_status status;
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->totals.samples != y->totals.samples)
        return x->totals.samples < y->totals.samples ? 1 : -1;
    return x->process->start_ns > y->process->start_ns ? 1 : -1;
}

static void print_row(const struct row *row)
{
    char allocated[32], inuse[32], peak[32], state[32];
    remote_bytes((double)row->totals.heap_alloc, allocated, sizeof allocated);
    remote_bytes((double)row->totals.heap_inuse, inuse, sizeof inuse);
    remote_bytes((double)row->totals.heap_peak, peak, sizeof peak);
    process_state_text(&row->status, state, sizeof state);
    fprintf(stderr, "prof: %9s %-16.16s %8.2f s %12s %12s %12s  %s\n", process_id(row->process),
            process_name(row->process), (double)row->totals.cpu_ns * 1e-9, allocated, peak, inuse,
            state);
}

void run_summary(struct collector *collector, pid_t pid, int status, bool quiet)
{
    size_t n, files = 0;
    uint64_t samples = 0;
    struct process **list = registry_list(&collector->registry, &n);
    struct row *rows = calloc(n + 1, sizeof *rows);
    for (size_t i = 0; rows && i < n; i++) {
        rows[i].process = list[i];
        process_get_totals(list[i], &rows[i].totals);
        samples += rows[i].totals.samples;
        process_get_status(&collector->registry, list[i], &rows[i].status);
        for (struct process_dump *dump = list[i]->dumps; dump; dump = dump->next)
            files += (size_t)__builtin_popcount(dump->profiles);
        if (list[i]->pid == pid && rows[i].status.state == PROCESS_ENDED) {
            rows[i].status.has_status = true;
            rows[i].status.status = status;
        }
    }
    if (rows && !quiet && n) {
        qsort(rows, n, sizeof *rows, compare_rows);
        fprintf(stderr, "prof: %9s %-16s %10s %12s %12s %12s  %s\n", "pid", "program", "cpu",
                "allocated", "heap peak", "heap now", "state");
        for (size_t i = 0; i < n && i < ROWS; i++)
            print_row(&rows[i]);
        if (n > ROWS)
            fprintf(stderr, "prof: and %zu more processes\n", n - ROWS);
        if (files)
            fprintf(stderr, "prof: %zu profile%s in %s; see %s with: prof top %s\n", files,
                    files > 1 ? "s" : "", collector->options.dir, files > 1 ? "them" : "it",
                    collector->options.dir);
        else if (!samples)
            fprintf(stderr, "prof: nothing to write: too short for a CPU sample, and little "
                            "memory (prof run --exact records every allocation)\n");
    }
    if (!n)
        fprintf(stderr, "prof: no process reported: is libprof.so made for this program?\n");
    free(rows);
    process_release_all(list, n);
}
