#include "cli/run_summary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "cli/remote.h"
#include "serve/other_allocators.h"

#define ROWS 20

struct row {
    struct process *process;
    struct totals totals;
    struct process_status status;
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->totals.samples != y->totals.samples)
        return x->totals.samples < y->totals.samples ? 1 : -1;
    return x->process->start_ns > y->process->start_ns ? 1 : -1;
}

/* "~16.6 MiB +-1.2" for an estimate and its variance (-1: not known), "16.6 MiB" for an exact one.
 */
static void bytes_text(const struct totals *totals, double bytes, double variance, char *text,
                       size_t size)
{
    char value[32], error[32] = "";
    double unit = remote_bytes(bytes, value, sizeof value);
    if (totals->heap_is_estimated && variance > 0)
        snprintf(error, sizeof error, unit > 1 ? " +-%.1f" : " +-%.0f", sqrt(variance) / unit);
    snprintf(text, size, "%s%s%s", totals->heap_is_estimated && bytes > 0 ? "~" : "", value, error);
}

static void print_row(const struct row *row)
{
    const struct totals *totals = &row->totals;
    char allocated[80], inuse[80], peak[80], state[32];
    bytes_text(totals, (double)totals->heap_alloc, totals->heap_alloc_variance, allocated,
               sizeof allocated);
    bytes_text(totals, (double)totals->heap_inuse, totals->heap_inuse_variance, inuse,
               sizeof inuse);
    bytes_text(totals, (double)totals->heap_peak, -1, peak, sizeof peak);
    process_state_text(&row->status, state, sizeof state);
    fprintf(stderr, "prof: %9s %-16.16s %8.2f s %18s %12s %18s  %s\n", process_id(row->process),
            process_name(row->process), (double)row->totals.cpu_ns * 1e-9, allocated, peak, inuse,
            state);
}

/* Processes of one name, added up. */
struct group {
    const char *name;
    size_t count;
    struct totals totals;
    int64_t most_inuse; /* of one of them at its peak, bytes */
};

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    return (x->totals.cpu_ns < y->totals.cpu_ns) - (x->totals.cpu_ns > y->totals.cpu_ns);
}

/* A variance that is not known of one is not known of the sum. */
static double add_variance(double a, double b)
{
    return a < 0 || b < 0 ? -1 : a + b;
}

static void add_to_group(struct group *group, const struct totals *totals)
{
    struct totals *sum = &group->totals;
    group->count++;
    sum->cpu_ns += totals->cpu_ns;
    sum->heap_alloc += totals->heap_alloc;
    sum->heap_alloc_variance = add_variance(sum->heap_alloc_variance, totals->heap_alloc_variance);
    sum->heap_is_estimated |= totals->heap_is_estimated;
    if (totals->heap_peak > group->most_inuse)
        group->most_inuse = totals->heap_peak;
}

/* Many processes: a row for each program, such as the compiler's of a build. */
static void print_groups(const struct row *rows, size_t n)
{
    struct group *groups = mem_zero(n + 1, sizeof *groups);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = process_name(rows[i].process);
        size_t at = 0;
        while (at < count && strcmp(groups[at].name, name) != 0)
            at++;
        if (at == count)
            groups[count++].name = name;
        add_to_group(&groups[at], &rows[i].totals);
    }
    qsort(groups, count, sizeof *groups, compare_groups);
    fprintf(stderr, "prof: %9s %-16s %10s %18s %12s\n", "processes", "program", "cpu", "allocated",
            "largest heap");
    for (size_t i = 0; i < count && i < ROWS; i++) {
        const struct group *group = &groups[i];
        char allocated[80], most[80];
        bytes_text(&group->totals, (double)group->totals.heap_alloc,
                   group->totals.heap_alloc_variance, allocated, sizeof allocated);
        bytes_text(&group->totals, (double)group->most_inuse, -1, most, sizeof most);
        fprintf(stderr, "prof: %9zu %-16.16s %8.2f s %18s %12s\n", group->count, group->name,
                (double)group->totals.cpu_ns * 1e-9, allocated, most);
    }
    if (count > ROWS)
        fprintf(stderr, "prof: and %zu more programs\n", count - ROWS);
    free(groups);
}

/* Those that recorded something, and the program itself; the rest is counted. */
static void print_rows(const struct row *rows, size_t n, pid_t pid)
{
    size_t shown = 0, more = 0, silent = 0;
    fprintf(stderr, "prof: %9s %-16s %10s %18s %12s %18s  %s\n", "pid", "program", "cpu",
            "allocated", "heap peak", "heap now", "state");
    for (size_t i = 0; i < n; i++) {
        bool own = rows[i].process->pid == pid && rows[i].status.state == PROCESS_ENDED;
        bool recorded = rows[i].totals.samples > 0;
        if ((recorded && shown < ROWS) || own) {
            print_row(&rows[i]);
            shown++;
        } else if (recorded) {
            more++;
        } else {
            silent++;
        }
    }
    if (more)
        fprintf(stderr, "prof: and %zu more\n", more);
    if (silent)
        fprintf(stderr, "prof: and %zu that ended or went on as another program before a sample\n",
                silent);
}

/* One line for each program whose heap profile can't be whole. */
static void print_unseen(const struct row *rows, size_t n)
{
    const char *told[ROWS];
    size_t n_told = 0;
    for (size_t i = 0; i < n && n_told < ROWS; i++) {
        struct process *process = rows[i].process;
        bool before = false;
        for (size_t j = 0; j < n_told && !before; j++)
            before = strcmp(told[j], process->exe) == 0;
        if (before)
            continue;
        pthread_rwlock_rdlock(&process->ledger.lock);
        const char *allocator = other_allocators_of_ended(process);
        pthread_rwlock_unlock(&process->ledger.lock);
        if (!allocator)
            continue;
        told[n_told++] = process->exe;
        fprintf(stderr,
                "prof: %s brings %s along: memory from that isn't in its heap profile; the other "
                "profiles are whole\n",
                process_name(process), allocator);
    }
}

/* Processes that go on without a collector, daemons mostly. Returns how many. */
static size_t print_running(const struct row *rows, size_t n, const char *dir)
{
    size_t running = 0, first = 0;
    for (size_t i = n; i > 0; i--)
        if (rows[i - 1].status.state == PROCESS_RUNNING) {
            running++;
            first = i - 1;
        }
    if (running)
        fprintf(
            stderr,
            "prof: %s (%s)%s still %s: what is profiled from now on is written to %s at the end\n",
            process_name(rows[first].process), process_id(rows[first].process),
            running > 1 ? " and others" : "", running > 1 ? "run" : "runs", dir);
    return running;
}

/* The word as a shell reads it back: quoted where it has to be. malloc'ed. */
static char *shell_word(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./+,%@=";
    char *quoted = NULL;
    size_t size;
    if (*word && word[strspn(word, plain)] == '\0')
        return mem_strdup(word);
    FILE *file = open_memstream(&quoted, &size);
    fputc('\'', file);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", file);
        else
            fputc(*word, file);
    fputc('\'', file);
    fclose(file);
    return quoted;
}

static size_t count_recorded(const struct row *rows, size_t n)
{
    size_t recorded = 0;
    while (recorded < n && rows[recorded].totals.samples > 0) /* they come first */
        recorded++;
    return recorded;
}

/* Where it all is, and the command to begin with. */
static void print_hint(const struct row *rows, size_t n, const char *dir, size_t files)
{
    size_t busy = count_recorded(rows, n);
    char *folder = shell_word(dir);
    if (files)
        fprintf(stderr, "prof: %zu profile%s in %s; begin with: prof report %s\n", files,
                files > 1 ? "s" : "", dir, folder);
    else if (!busy)
        fprintf(stderr, "prof: nothing to write: too short for a CPU sample, and little "
                        "memory (prof run --exact records every allocation)\n");
    free(folder);
}

void run_summary(struct collector *collector, pid_t pid, int status, bool quiet)
{
    size_t n, files = 0;
    struct process **list = registry_list(&collector->registry, &n);
    struct row *rows = calloc(n + 1, sizeof *rows);
    for (size_t i = 0; rows && i < n; i++) {
        rows[i].process = list[i];
        process_read_totals(list[i], &rows[i].totals);
        registry_get_status(&collector->registry, list[i], &rows[i].status);
        for (struct process_dump *dump = list[i]->dumps; dump; dump = dump->next)
            files += (size_t)__builtin_popcount(dump->profiles);
        if (list[i]->pid == pid && rows[i].status.state == PROCESS_ENDED) {
            rows[i].status.has_status = true;
            rows[i].status.status = status;
        }
    }
    if (rows && !quiet && n) {
        qsort(rows, n, sizeof *rows, compare_rows);
        if (count_recorded(rows, n) > ROWS)
            print_groups(rows, n);
        else
            print_rows(rows, n, pid);
        print_unseen(rows, n);
        size_t running = print_running(rows, n, collector->options.dir);
        if (files || !running)
            print_hint(rows, n, collector->options.dir, files);
    }
    if (!n)
        fprintf(stderr, "prof: no process reported: is libprof.so made for this program?\n");
    free(rows);
    registry_list_free(list, n);
}
