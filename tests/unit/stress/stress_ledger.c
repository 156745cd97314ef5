/* Threads that enter sites and threads, and one that reads meanwhile. */
#include "ledger/counter.h"
#include "ledger/ledger.h"
#include "ledger/memory.h"
#include "stress.h"
#include "wire/reader.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SITES 4000
#define EVENTS 60000
#define THREAD_ENTRIES 300 /* more than a ledger of 1 MiB has */
#define LIVES 20000

/* The ledger asks for modules through a sink; this test has none to tell of. */
void module_set_sink(void (*sink)(unsigned index, const struct module *module))
{
    (void)sink;
}

static void create(uint64_t max_memory)
{
    const struct ledger_settings settings = {
        .max_memory = max_memory, .heap_rate = 1, .planes = 4, .exe = "/bin/program"};
    int fd;
    if (!ledger_create(&settings, &fd))
        stress_check(!"no memory for a ledger");
    if (fd >= 0)
        close(fd);
}

/* The frames of a site say which it is. */
static unsigned frames_of(unsigned n, uint64_t *frames)
{
    unsigned depth = 2 + n % 40;
    for (unsigned i = 0; i < depth; i++)
        frames[i] = n * UINT64_C(1000) + i;
    return depth;
}

static _Atomic(uint64_t) counted[SITES];
static _Atomic(unsigned) writers;

/* What is there is whole, and sums only grow. */
static void read_sites(void)
{
    static uint64_t last[LEDGER_STAT_COUNT];
    struct ledger_view view;
    stress_check(ledger_view_open(&view, ledger, ledger->size) == NULL);
    uint64_t sum = 0;
    uint32_t sites = ledger_view_sites(&view);
    for (uint32_t n = 1; n < sites; n++) {
        struct ledger_site_view site;
        struct ledger_stack_view stack;
        if (!ledger_view_site(&view, n, &site))
            continue;
        uint64_t frames[64];
        stress_check(ledger_view_stack(&view, site.stack, &stack));
        stress_check(site.key < SITES && stack.depth == frames_of((unsigned)site.key, frames) &&
                     memcmp(frames, stack.frames, stack.depth * sizeof *frames) == 0);
        stress_check(site.value <= site.count);
        sum += site.count;
    }
    stress_check(sum >= last[0]);
    last[0] = sum;
}

static void count_events(unsigned thread, void *unused)
{
    (void)unused;
    if (thread == 0) {
        while (atomic_load(&writers) < STRESS_THREADS - 1)
            read_sites();
        return;
    }
    unsigned plane = thread < 3 ? thread : 3; /* the last for all that have none of their own */
    uint64_t seed = thread;
    for (unsigned event = 0; event < EVENTS; event++) {
        uint64_t frames[64];
        unsigned n = stress_random(&seed) % SITES;
        unsigned depth = frames_of(n, frames);
        uint32_t site = ledger_site(LEDGER_KIND_HEAP, n, frames, depth, UNWIND_COMPLETE);
        struct ledger_counter *counter = site ? ledger_counter(plane, site) : NULL;
        stress_check(counter != NULL);
        if (!counter)
            continue;
        atomic_fetch_add_explicit(&counter->count, 1, memory_order_release);
        if (event % 2)
            atomic_fetch_add_explicit(&counter->value, 1, memory_order_release);
        atomic_fetch_add_explicit(&counted[n], 1, memory_order_relaxed);
    }
    atomic_fetch_add(&writers, 1);
}

static void check_sums(void)
{
    struct ledger_view view;
    struct ledger_site_view site;
    uint64_t reserved = 0;
    unsigned seen = 0;
    ledger_view_open(&view, ledger, ledger->size);
    for (uint32_t n = 1; n < ledger_view_sites(&view); n++)
        if (ledger_view_site(&view, n, &site)) {
            stress_check(site.count == atomic_exchange(&counted[site.key], 0));
            seen++;
        }
    stress_check(seen == SITES);
    for (unsigned n = 0; n < SITES; n++)
        stress_check(atomic_load(&counted[n]) == 0);
    for (unsigned n = 0; n < LEDGER_SECTIONS; n++)
        reserved += atomic_load(&ledger->sections[n].reserved);
    stress_check(reserved == atomic_load(&ledger->total_reserved));
    stress_check(atomic_load(&ledger->stats[LEDGER_STAT_LOST_MEMORY]) == 0);
    fprintf(stderr, "%u sites, %u KiB\n", seen, (unsigned)(reserved >> 10));
}

static _Atomic(unsigned) owners[THREAD_ENTRIES];

/* Threads come and go by a full table; a dump describes entries that are just let go. */
static void live_and_die(unsigned thread, void *unused)
{
    uint64_t seed = thread;
    uint32_t entries =
        (uint32_t)(ledger->sections[LEDGER_THREADS].size / sizeof(struct ledger_thread));
    (void)unused;
    if (thread == 0) {
        while (atomic_load(&writers) < STRESS_THREADS - 1) {
            struct ledger_thread *entry =
                ledger_thread_get(1 + stress_random(&seed) % (entries - 1));
            entry->waiting_ns = UINT64_C(0xdddddddddddd);
        }
        return;
    }
    for (unsigned life = 0; life < LIVES; life++) {
        uint32_t index = ledger_thread(thread, 0, "worker");
        if (index == 0)
            continue; /* full at this moment */
        stress_check(index < entries && entries <= THREAD_ENTRIES);
        if (index >= THREAD_ENTRIES)
            break;
        stress_check(atomic_fetch_add(&owners[index], 1) == 0);
        stress_check(atomic_load(&ledger_thread_get(index)->tid) == thread);
        atomic_fetch_sub(&owners[index], 1);
        ledger_thread_release(index);
    }
    atomic_fetch_add(&writers, 1);
}

int main(void)
{
    create(64 << 20);
    stress_run(count_events, NULL);
    check_sums();
    ledger_drop();

    create(1 << 20);
    writers = 0;
    ledger_thread_release(ledger_thread(1, 0, NULL)); /* the section's memory is there now */
    stress_run(live_and_die, NULL);
    stress_check(atomic_load(&ledger->stats[LEDGER_STAT_THREADS_LOST]) == 0);
    ledger_drop();
    return stress_result();
}
