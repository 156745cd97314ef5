#include "wire/waits.h"

#include "wire/layout.h"

/* Block sites count events in this fraction (wire/layout.h). */
static bool is_waiting(const struct ledger_view *view, uint32_t thread,
                       struct ledger_thread_view *out)
{
    return ledger_view_thread(view, thread, out) && !out->end_ns && out->wait_site;
}

bool waits_any(const struct ledger_view *view)
{
    struct ledger_thread_view thread;
    uint32_t threads = ledger_view_threads(view);

    for (uint32_t n = 1; n < threads; n++)
        if (is_waiting(view, n, &thread))
            return true;
    return false;
}

const struct waits *waits_collect(struct arena *arena, const struct ledger_view *view,
                                  uint64_t now_mono_ns)
{
    const struct ledger_header *header = view->header;
    struct ledger_thread_view thread;
    uint32_t threads = ledger_view_threads(view);
    size_t size = sizeof(struct waits) + threads * sizeof(struct wait);
    struct waits *waits = waits_any(view) ? arena_alloc(arena, size) : NULL;

    if (!waits)
        return NULL;
    waits->count = 0;
    for (uint32_t n = 1; n < threads; n++) {
        if (!is_waiting(view, n, &thread) || now_mono_ns <= thread.wait_since_ns)
            continue;
        uint64_t ns = now_mono_ns - thread.wait_since_ns;
        if (ns >= header->block_rate_ns && ns <= INT64_MAX / 2)
            waits->list[waits->count++] = (struct wait){thread.wait_site, ns};
    }
    return waits;
}

void waits_add(const struct waits *waits, uint32_t site, struct ledger_site_view *to)
{
    for (size_t n = 0; waits && n < waits->count; n++) {
        if (waits->list[n].site != site)
            continue;
        to->count += LEDGER_EVENT;
        to->value += waits->list[n].ns;
    }
}
