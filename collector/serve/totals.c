#include "serve/totals.h"

#include "serve/process.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* weight: how many blocks a recorded one stands for, 1/p. Variances:
 * preload/sample/heap/heap_inuse.h.
 */
static void add_heap(struct totals *totals, const struct ledger_site_view *site, double weight)
{
    double each = (double)site->key * weight, squared = each * each * (1 - 1 / weight);
    totals->heap_alloc += (uint64_t)((double)site->count * each);
    totals->heap_alloc_variance += (double)site->count * squared;
    totals->heap_inuse_variance += (double)(site->count - site->value) * squared;
}

static void add_site(struct totals *totals, const struct ledger_site_view *site, uint64_t heap_rate)
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
    if (process->pid <= 0 || process->pidfd < 0 || stat(path, &task) < 0 || task.st_nlink <= 2)
        return 0;
    /* it lives: the folder was its own, not another's of the same number */
    return poll(&end, 1, 0) == 0 ? (uint32_t)task.st_nlink - 2 : 0;
}

void totals_read(struct process *process, struct totals *out)
{
    memset(out, 0, sizeof *out);
    uint32_t now = threads_now(process);
    process_refresh(process);
    pthread_rwlock_rdlock(&process->ledger.lock);
    const struct ledger_view *view = &process->ledger.view;
    if (!process->ledger.base) {
        pthread_rwlock_unlock(&process->ledger.lock);
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
    pthread_rwlock_unlock(&process->ledger.lock);
}
