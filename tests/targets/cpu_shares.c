/*
 * Two functions burn CPU 3:1 in twice as many threads as there are processors.
 * Argument: seconds of CPU time for each thread. Checks the shares, the total
 * against getrusage, the threads' equality and that stacks are complete.
 */
#include "probe.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
#define MAX_THREADS 256

static unsigned rounds;

/* noipa: kept apart, and their calls not turned into jumps. */
__attribute__((noipa)) void burn_three(uint64_t ns)
{
    probe_burn(ns);
    __asm__ volatile("");
}

__attribute__((noipa)) void burn_one(uint64_t ns)
{
    probe_burn(ns);
    __asm__ volatile("");
}

/* Lengths vary by up to a half: what repeats in step with the kernel's tick
 * (4 ms) is seen at the same points of its course again and again. */
static void *work(void *seed)
{
    unsigned state = (unsigned)(uintptr_t)seed;
    for (unsigned n = 0; n < rounds; n++) {
        double factor = 0.5 + rand_r(&state) / (double)RAND_MAX;
        burn_three((uint64_t)(factor * 15 * MS));
        burn_one((uint64_t)(factor * 5 * MS));
    }
    return NULL;
}

/* The CPU ns of the thread that has spent least and of the one that has spent most. */
static void extremes(uint64_t *least, uint64_t *most)
{
    const struct ledger_view *view = probe_open();
    *least = UINT64_MAX;
    *most = 0;
    uint32_t threads = ledger_view_threads(view);
    uint64_t *spent = calloc(threads, sizeof *spent);
    struct ledger_site_view site;
    for (uint32_t n = 1; n < ledger_view_sites(view); n++)
        if (ledger_view_site(view, n, &site) && site.kind == LEDGER_KIND_CPU && site.key < threads)
            spent[site.key] += site.value;
    struct ledger_thread_view thread;
    for (uint32_t n = 1; n < threads; n++) {
        if (!ledger_view_thread(view, n, &thread) || thread.tid == (uint32_t)getpid())
            continue;
        *least = spent[n] < *least ? spent[n] : *least;
        *most = spent[n] > *most ? spent[n] : *most;
    }
    free(spent);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    long count = 2 * sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[MAX_THREADS];
    rounds = (unsigned)(seconds * 50);
    probe_watchdog(600);
    if (count > MAX_THREADS)
        count = MAX_THREADS;
    for (long n = 0; n < count; n++)
        pthread_create(&threads[n], NULL, work, (void *)(uintptr_t)(n + 1));
    for (long n = 0; n < count; n++)
        pthread_join(threads[n], NULL);

    uint64_t used = probe_rusage_ns();
    uint64_t total = probe_value(LEDGER_KIND_CPU, NULL, false);
    uint64_t three = probe_value(LEDGER_KIND_CPU, "burn_three", false);
    uint64_t one = probe_value(LEDGER_KIND_CPU, "burn_one", false);
    uint64_t least, most;
    extremes(&least, &most);
    double share = (double)three / (double)(three + one), ratio = (double)total / (double)used;
    printf("share %.4f, total/rusage %.4f, threads %.3f..%.3f s, complete %.4f, %lu created\n",
           share, ratio, (double)least * 1e-9, (double)most * 1e-9, probe_complete(LEDGER_KIND_CPU),
           probe_count(LEDGER_KIND_THREADCREATE, "main", false));
    fflush(stdout);

    /* 2 points at 10 s of 4 threads; shorter runs have fewer samples */
    double allowed = 0.02 + 2 * sqrt(0.25 * 0.75 / (seconds * (double)count * 100));
    probe_check(fabs(share - 0.75) < allowed, "%.4f, allowed %.4f", share, allowed);
    probe_check(fabs(ratio - 1) < 0.03, "%.4f", ratio);
    probe_check((double)most - (double)least < 0.3 * (double)most, "%lu..%lu ns", least, most);
    probe_check(probe_complete(LEDGER_KIND_CPU) >= 0.99, "incomplete stacks");
    probe_check(probe_count(LEDGER_KIND_THREADCREATE, "main", false) == (uint64_t)count,
                "threads created from main");
    return 0;
}
