#include "sample/heap/heap_inuse.h"
#include "ledger/counter.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/optional.h"
#include "sample/core/gate.h"
#include "wire/reader.h"

/* How far a thread's bytes in use may be off before it tells the ledger, when
 * there are several threads: the peak is exact to so many bytes a thread. */
#define PENDING_MAX ((int64_t)32 << 10)

static bool exact;
/* Of sampled mode's few events each may take the longer way. */
static const char never = 0;
static const char *single_threaded = &never;

void heap_inuse_start(bool every)
{
    exact = every;
    if (exact)
        single_threaded = optional_single_threaded();
}

/* Bytes that a recorded block of `size` stands for. */
static int64_t weighted(uint64_t size)
{
    return exact ? (int64_t)size
                 : (int64_t)((double)size * ledger_heap_weight(size, config.heap_rate));
}

/*
 * Tells the ledger how many bytes in use came or went, and notes a new peak:
 * a higher epoch, by which each counter knows at its next change that its
 * present value was its value at the peak.
 */
static void account_inuse(int64_t bytes)
{
    struct thread_state *self = &thread_self;
    int64_t change = self->heap_pending + bytes;
    int64_t inuse;
    if (*single_threaded) {
        inuse = atomic_load_explicit(&ledger->heap_inuse, memory_order_relaxed) + change;
        atomic_store_explicit(&ledger->heap_inuse, inuse, memory_order_relaxed);
    } else if (exact && !self->ended && change < PENDING_MAX && change > -PENDING_MAX) {
        self->heap_pending = change;
        return;
    } else {
        inuse =
            atomic_fetch_add_explicit(&ledger->heap_inuse, change, memory_order_relaxed) + change;
    }
    self->heap_pending = 0;
    int64_t peak = atomic_load_explicit(&ledger->heap_peak, memory_order_relaxed);
    if (inuse <= peak)
        return;
    /* A lost race leaves a slightly lower peak, which the next change mends. */
    atomic_store_explicit(&ledger->heap_peak, inuse, memory_order_relaxed);
    if (*single_threaded)
        atomic_store_explicit(&ledger->heap_peak_epoch,
                              atomic_load_explicit(&ledger->heap_peak_epoch, memory_order_relaxed) +
                                  1,
                              memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&ledger->heap_peak_epoch, 1, memory_order_relaxed);
}

void heap_inuse_thread_end(void)
{
    struct thread_state *self = &thread_self;
    if (self->heap_pending && ledger_exists() && self->epoch == gate_epoch())
        account_inuse(0);
    self->heap_pending = 0;
}

/* The counter of a site, its value at the last peak kept before it changes. */
static struct ledger_counter *counter_open(uint32_t site)
{
    struct ledger_counter *counter = ledger_counter(thread_self.plane, site);
    if (!counter)
        return NULL;
    uint32_t epoch = atomic_load_explicit(&ledger->heap_peak_epoch, memory_order_relaxed);
    if (atomic_load_explicit(&counter->peak_epoch, memory_order_relaxed) != epoch) {
        uint64_t count = atomic_load_explicit(&counter->count, memory_order_relaxed);
        uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);
        atomic_store_explicit(&counter->peak, (int64_t)(count - value), memory_order_relaxed);
        atomic_store_explicit(&counter->peak_epoch, epoch, memory_order_relaxed);
    }
    return counter;
}

bool heap_inuse_add(uint32_t site, size_t size)
{
    struct ledger_counter *counter = counter_open(site);
    if (!counter)
        return false;
    thread_add(&counter->count, 1);
    account_inuse(weighted(size));
    return true;
}

void heap_inuse_remove(uint32_t site, bool temporary)
{
    struct ledger_counter *counter = counter_open(site);
    if (!counter)
        return;
    thread_add(&counter->value, 1);
    if (temporary)
        thread_add(&counter->temporary, 1);
    account_inuse(-weighted(ledger_site_key(site)));
}
