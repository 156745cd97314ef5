/*
 * Threads and their ends: short: threads of 5 ms are seen. low: no timer to be
 * had (ulimit -i), hazard 18. cancel: pthread_exit, cancellation, thrd_create
 * (hazard 36). many: no leak after many threads.
 */
#include "probe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

__attribute__((noipa)) void *short_life(void *unused)
{
    probe_burn(5 * MS);
    return unused;
}

__attribute__((noipa)) void run_short(void)
{
    unsigned lives = 400 * probe_long(10);
    for (unsigned n = 0; n < lives; n++) {
        pthread_t thread;
        pthread_create(&thread, NULL, short_life, NULL);
        pthread_join(thread, NULL);
    }
    uint64_t used = probe_rusage_ns(), seen = probe_value(LEDGER_KIND_CPU, NULL, false);
    double ratio = (double)seen / (double)used;
    printf("seen/used %.3f\n", ratio);
    probe_check(ratio > 0.85 && ratio < 1.15, "%.3f", ratio);
    probe_check(probe_value(LEDGER_KIND_CPU, "short_life", false) > seen / 2, "not in short_life");
    probe_check(probe_count(LEDGER_KIND_THREADCREATE, "run_short", false) == lives, "creations");
}

static void *wait_and_burn(void *barrier)
{
    pthread_barrier_wait(barrier);
    probe_burn(20 * MS);
    pthread_barrier_wait(barrier);
    return NULL;
}

/* Started with room for few pending signals: timers are refused, nothing else happens. */
static void run_low(void)
{
    pthread_t threads[64];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 64);
    for (unsigned n = 0; n < 64; n++)
        probe_check(pthread_create(&threads[n], NULL, wait_and_burn, &barrier) == 0, "%u", n);
    for (unsigned n = 0; n < 64; n++)
        pthread_join(threads[n], NULL);
    uint64_t failed = ledger_view_stat(probe_open(), LEDGER_STAT_CPU_TIMERS_FAILED);
    printf("%lu threads without a timer\n", failed);
    probe_check(failed >= 40 && failed <= 64, "%lu", failed);
}

static atomic_uint cleaned;
static pthread_key_t key;

static void clean(void *unused)
{
    (void)unused;
    free(malloc(1000));
    cleaned++;
}

static void *by_exit(void *unused)
{
    pthread_setspecific(key, unused);
    pthread_cleanup_push(clean, NULL);
    pthread_exit((void *)7);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *by_cancel(void *type)
{
    pthread_setcanceltype((int)(uintptr_t)type, NULL);
    pthread_cleanup_push(clean, NULL);
    if (type)
        for (;;)
            ;
    for (;;)
        sleep(1000);
    pthread_cleanup_pop(0);
    return NULL;
}

static int c11(void *argument)
{
    tss_t unused;
    tss_create(&unused, NULL);
    tss_delete(unused);
    return (int)(uintptr_t)argument;
}

static void run_cancel(void)
{
    unsigned turns = 200 * probe_long(10);
    pthread_key_create(&key, clean);
    for (unsigned n = 0; n < turns; n++) {
        pthread_t thread;
        void *result;
        pthread_create(&thread, NULL, by_exit, &cleaned);
        pthread_join(thread, &result);
        probe_check(result == (void *)7, "%p", result);
        for (int type = 0; type < 2; type++) {
            pthread_create(&thread, NULL, by_cancel,
                           (void *)(uintptr_t)(type ? PTHREAD_CANCEL_ASYNCHRONOUS : 0));
            if (n % 4 == 0)
                usleep(1000);
            pthread_cancel(thread);
            pthread_join(thread, &result);
            probe_check(result == PTHREAD_CANCELED, "%p", result);
        }
        thrd_t c11_thread;
        int value;
        probe_check(thrd_create(&c11_thread, c11, (void *)42) == thrd_success, "thrd_create");
        thrd_join(c11_thread, &value);
        probe_check(value == 42, "%d", value);
    }
    probe_check(cleaned >= 2 * turns, "%u cleanups", cleaned);
}

static void *nothing(void *argument)
{
    return argument;
}

static long resident_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    probe_check(file && fscanf(file, "%*d %ld", &pages) == 1, "statm");
    fclose(file);
    return pages * 4;
}

__attribute__((noipa)) void run_many(void)
{
    long after_first = 0;
    unsigned lives = 20000 * probe_long(50);
    for (unsigned n = 0; n < lives; n++) {
        pthread_t thread;
        probe_check(pthread_create(&thread, NULL, nothing, NULL) == 0, "%u", n);
        pthread_join(thread, NULL);
        if (n == lives / 10)
            after_first = resident_kb();
    }
    long grown = resident_kb() - after_first;
    printf("%u threads, grown by %ld KiB\n", lives, grown);
    probe_check(grown < 4096, "%ld KiB", grown);
    /* more than the thread table holds: entries of ended threads are used again */
    const struct ledger_view *view = probe_open();
    probe_check(lives > ledger_view_threads(view), "only %u threads", lives);
    probe_check(ledger_view_stat(view, LEDGER_STAT_THREADS_LOST) == 0, "threads lost");
    probe_check(probe_count(LEDGER_KIND_THREADCREATE, "run_many", false) == lives, "creations");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {
        {"short", run_short}, {"low", run_low}, {"cancel", run_cancel}, {"many", run_many}};
    /* Set here: the shell's ulimit would also count what else runs as this user. */
    if (argc > 1 && strcmp(argv[1], "low") == 0 && argc == 2) {
        struct rlimit limit = {8, 8};
        setrlimit(RLIMIT_SIGPENDING, &limit);
        execl("/proc/self/exe", argv[0], "low", "limited", (char *)NULL);
    }
    probe_watchdog(240);
    for (unsigned n = 0; n < sizeof parts / sizeof *parts; n++)
        if (argc > 1 && strcmp(argv[1], parts[n].name) == 0)
            parts[n].run();
    return 0;
}
