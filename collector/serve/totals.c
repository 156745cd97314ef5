#include "serve/totals.h"

#include <stdatomic.h>
#include <string.h>

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

void totals_sum(const struct ledger_view *view, struct totals *out)
{
    const struct ledger_header *header = view->header;
    memset(out, 0, sizeof *out);
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
}
