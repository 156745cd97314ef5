/*
 * The loader's lock, taken in every way there is, while threads are sampled at a
 * high rate, asked for their stacks and every allocation is recorded (hazards 1,
 * 2): a deadlock ends by the watchdog. Arguments: seconds, a library to load.
 */
#include "probe.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static atomic_bool stop;
static atomic_ulong turns;
static const char *library;

static void *load(void *unused)
{
    while (!stop) {
        void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        probe_check(handle != NULL, "%s", dlerror());
        dlclose(handle);
        turns++;
    }
    return unused;
}

static void *look_up(void *unused)
{
    while (!stop) {
        probe_check(dlsym(RTLD_DEFAULT, "malloc") != NULL, "malloc");
        turns++;
    }
    return unused;
}

static int visit(struct dl_phdr_info *info, size_t size, void *sum)
{
    void *block = malloc(64 + size); /* under the loader's lock */
    *(size_t *)sum += info->dlpi_phnum;
    free(block);
    return 0;
}

static void *iterate(void *unused)
{
    while (!stop) {
        size_t sum = 0;
        dl_iterate_phdr(visit, &sum);
        turns++;
    }
    return unused;
}

/* libgcc's unwinder: as a thrown exception, it asks the loader for every frame. */
static void *unwind(void *unused)
{
    void *frames[64];
    while (!stop) {
        probe_check(backtrace(frames, 64) > 0, "backtrace");
        turns++;
    }
    return unused;
}

/* Forced unwinding. */
static void *leave(void *unused)
{
    pthread_exit(malloc(10));
    return unused;
}

static void *create(void *unused)
{
    while (!stop) {
        pthread_t thread;
        void *result = NULL;
        if (pthread_create(&thread, NULL, leave, NULL) == 0)
            pthread_join(thread, &result);
        free(result);
        turns++;
    }
    return unused;
}

int main(int argc, char **argv)
{
    static void *(*const kinds[])(void *) = {load, look_up, iterate, unwind, create};
    pthread_t threads[2 * sizeof kinds / sizeof *kinds];
    unsigned count = sizeof threads / sizeof *threads;
    double seconds = (argc > 1 ? atof(argv[1]) : 3) * probe_long(20);
    library = argc > 2 ? argv[2] : "libm.so.6";
    probe_watchdog((unsigned)seconds + 60);
    for (unsigned n = 0; n < count; n++)
        pthread_create(&threads[n], NULL, kinds[n / 2], NULL);
    for (double passed = 0; passed < seconds; passed += 0.1) {
        usleep(100000);
        kill(getpid(), SIGUSR2);
    }
    stop = true;
    for (unsigned n = 0; n < count; n++)
        pthread_join(threads[n], NULL);
    uint64_t samples = probe_count(LEDGER_KIND_CPU, NULL, false);
    printf("%lu turns, %lu samples, complete %.4f\n", turns, samples,
           probe_complete(LEDGER_KIND_CPU));
    probe_check(samples > 100, "%lu samples", samples);
    return 0;
}
