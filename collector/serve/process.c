#include "serve/process.h"

#include "base/clock.h"
#include "base/mem.h"
#include "dump/directory.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void registry_init(struct registry *registry)
{
    memset(registry, 0, sizeof *registry);
    pthread_mutex_init(&registry->lock, NULL);
}

void registry_clear(struct registry *registry)
{
    while (registry->first)
        registry_remove(registry, registry->first);
    pthread_mutex_destroy(&registry->lock);
}

/* The arguments as the ledger has them. */
static void copy_cmdline(struct process *process)
{
    const char *text = "";
    size_t length = 0;
    if (process->ledger_base)
        text = ledger_view_string(&process->view, process->view.header->cmdline, &length);
    process->cmdline = mem_zero(length + 1, 1);
    memcpy(process->cmdline, text, length);
    process->cmdline_size = length;
}

/* A program of many names (busybox, redis-server) goes by the one it was started
 * by, as in the directory. */
static void copy_name(struct process *process)
{
    struct directory directory = {.program = ""};
    const char *slash = strrchr(process->exe, '/');
    const char *name = slash ? slash + 1 : process->exe;
    if (process->ledger_base) {
        directory_identify(&directory, &process->view);
        name = directory.program;
    }
    process->name = mem_strdup(*name ? name : "program");
}

struct process *registry_add(struct registry *registry, const struct process_hello *hello)
{
    struct process *process = mem_zero(1, sizeof *process);
    process->source = SOURCE_PROCESS;
    process->pid = hello->pid;
    process->uid = hello->uid;
    process->pidfd = hello->pidfd;
    process->asked_by = hello->asked_by;
    process->exe = mem_strdup(hello->exe);
    process->ledger_base = hello->ledger_base;
    process->ledger_size = hello->ledger_size;
    process->control = hello->control;
    process->view = hello->view;
    /* The program's word, but only shown, never computed with. */
    process->start_ns =
        process->ledger_base ? (int64_t)process->view.header->start_ns : clock_realtime();
    copy_cmdline(process);
    copy_name(process);
    pthread_rwlock_init(&process->ledger_lock, NULL);
    pthread_mutex_init(&process->command_lock, NULL);
    history_init(&process->history);
    process->references = 2; /* the list's and the caller's */

    pthread_mutex_lock(&registry->lock);
    process->generation = 1;
    for (struct process *other = registry->first; other; other = other->next)
        if (other->pid == process->pid) {
            process->generation = other->generation + 1;
            atomic_store(&other->superseded, true);
        }
    snprintf(process->pid_text, sizeof process->pid_text, "%d", (int)process->pid);
    snprintf(process->full_id, sizeof process->full_id, "%d.%u", (int)process->pid,
             process->generation);
    process->prev = registry->last;
    if (registry->last)
        registry->last->next = process;
    else
        registry->first = process;
    registry->last = process;
    registry->count++;
    registry->running++;
    registry->seen++;
    registry->changes++;
    pthread_mutex_unlock(&registry->lock);
    return process;
}

const char *process_id(const struct process *process)
{
    return atomic_load(&process->superseded) ? process->full_id : process->pid_text;
}

/* Searches from the newest. generation 0: any. */
static struct process *find(struct registry *registry, long pid, unsigned long generation,
                            bool running)
{
    pthread_mutex_lock(&registry->lock);
    struct process *process = registry->last;
    while (process && (process->pid != pid || (generation && process->generation != generation) ||
                       (running && process->state != PROCESS_RUNNING)))
        process = process->prev;
    if (process)
        process_hold(process);
    pthread_mutex_unlock(&registry->lock);
    return process;
}

struct process *registry_find(struct registry *registry, const char *id)
{
    char *end;
    unsigned long generation = 0;
    if (*id < '0' || *id > '9')
        return NULL;
    long pid = strtol(id, &end, 10);
    if (*end == '.' && end[1] >= '0' && end[1] <= '9')
        generation = strtoul(end + 1, &end, 10);
    return *end ? NULL : find(registry, pid, generation, false);
}

struct process *registry_find_running(struct registry *registry, pid_t pid)
{
    return find(registry, pid, 0, true);
}

struct process **registry_list(struct registry *registry, size_t *n)
{
    pthread_mutex_lock(&registry->lock);
    struct process **list = mem_zero(registry->count + 1, sizeof(struct process *));
    *n = 0;
    for (struct process *process = registry->first; process; process = process->next) {
        process_hold(process);
        list[(*n)++] = process;
    }
    pthread_mutex_unlock(&registry->lock);
    return list;
}

void process_release_all(struct process **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        process_release(list[i]);
    free(list);
}

void process_hold(struct process *process)
{
    atomic_fetch_add(&process->references, 1);
}

void process_release(struct process *process)
{
    if (atomic_fetch_sub(&process->references, 1) != 1)
        return;
    if (process->ledger_base)
        munmap(process->ledger_base, process->ledger_size);
    if (process->control)
        munmap(process->control, sizeof *process->control);
    if (process->pidfd >= 0)
        close(process->pidfd);
    while (process->dumps) {
        struct process_dump *dump = process->dumps;
        process->dumps = dump->next;
        free(dump);
    }
    history_free(&process->history);
    pthread_rwlock_destroy(&process->ledger_lock);
    pthread_mutex_destroy(&process->command_lock);
    free(process->exe);
    free(process->name);
    free(process->cmdline);
    free(process);
}

void registry_remove(struct registry *registry, struct process *process)
{
    pthread_mutex_lock(&registry->lock);
    if (process->prev)
        process->prev->next = process->next;
    else
        registry->first = process->next;
    if (process->next)
        process->next->prev = process->prev;
    else
        registry->last = process->prev;
    registry->count--;
    registry->running -= process->state == PROCESS_RUNNING;
    registry->changes++;
    pthread_mutex_unlock(&registry->lock);
    process_release(process);
}

void process_get_status(struct registry *registry, struct process *process,
                        struct process_status *out)
{
    pthread_mutex_lock(&registry->lock);
    *out = (struct process_status){process->state, process->has_status, process->status,
                                   process->end_ns};
    pthread_mutex_unlock(&registry->lock);
}

void process_state_text(const struct process_status *status, char *text, size_t size)
{
    if (status->state == PROCESS_RUNNING)
        snprintf(text, size, "running");
    else if (status->state == PROCESS_EXECED)
        snprintf(text, size, "execed");
    else if (!status->has_status)
        snprintf(text, size, "ended");
    else if (WIFSIGNALED(status->status))
        snprintf(text, size, "killed by %d", WTERMSIG(status->status));
    else
        snprintf(text, size, "exited %d", WEXITSTATUS(status->status));
}

const char *process_name(const struct process *process)
{
    return process->name;
}

/* weight: how many blocks a recorded one stands for, 1/p. Variances: preload/sample/heap_inuse.h.
 */
static void add_heap(struct process_totals *totals, const struct ledger_site_view *site,
                     double weight)
{
    double each = (double)site->key * weight, squared = each * each * (1 - 1 / weight);
    totals->heap_alloc += (uint64_t)((double)site->count * each);
    totals->heap_alloc_variance += (double)site->count * squared;
    totals->heap_inuse_variance += (double)(site->count - site->value) * squared;
}

static void add_site(struct process_totals *totals, const struct ledger_site_view *site,
                     uint64_t heap_rate)
{
    switch (site->kind) {
    case LEDGER_KIND_HEAP:
        add_heap(totals, site, ledger_heap_weight(site->key, heap_rate));
        totals->samples += site->count;
        break;
    case LEDGER_KIND_CPU:
        totals->cpu_samples += site->count;
        totals->cpu_ns += site->value;
        totals->samples += site->count;
        break;
    case LEDGER_KIND_BLOCK:
    case LEDGER_KIND_MUTEX:
        totals->samples += site->count >> 16;
        break;
    default:
        totals->samples += site->count;
    }
}

/* The threads of a process that runs: a folder each in its task/, and a link to it for each of
 * those (proc(5), stat(2)); 0 when it can't be told. The ledger knows those alone that
 * something was recorded of. */
static uint32_t threads_now(const struct process *process)
{
    struct pollfd end = {process->pidfd, POLLIN, 0};
    struct stat task;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process->pid);
    if (process->pidfd < 0 || stat(path, &task) < 0 || task.st_nlink <= 2)
        return 0;
    /* it lives: the folder was its own, not another's of the same number */
    return poll(&end, 1, 0) == 0 ? (uint32_t)task.st_nlink - 2 : 0;
}

void process_get_totals(struct process *process, struct process_totals *out)
{
    memset(out, 0, sizeof *out);
    uint32_t now = threads_now(process);
    pthread_rwlock_rdlock(&process->ledger_lock);
    const struct ledger_view *view = &process->view;
    if (!process->ledger_base) {
        pthread_rwlock_unlock(&process->ledger_lock);
        return;
    }
    const struct ledger_header *header = view->header;
    out->heap_inuse = atomic_load(&header->heap_inuse);
    out->heap_peak = atomic_load(&header->heap_peak);
    out->reserved = atomic_load(&header->total_reserved);
    uint64_t rate = header->heap_rate;
    out->heap_is_estimated = rate > 1;
    uint32_t sites = ledger_view_sites(view);
    for (uint32_t n = 1; n < sites; n++) {
        struct ledger_site_view site;
        if (ledger_view_site(view, n, &site))
            add_site(out, &site, rate);
    }
    uint32_t threads = ledger_view_threads(view);
    for (uint32_t n = 1; n < threads; n++) {
        struct ledger_thread_view thread;
        out->threads += ledger_view_thread(view, n, &thread) && !thread.end_ns;
    }
    if (now)
        out->threads = now;
    pthread_rwlock_unlock(&process->ledger_lock);
}
