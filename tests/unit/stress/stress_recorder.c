/*
 * Threads that come, allocate, free what others have allocated, fight for locks and go: the
 * recorder's start by all of them at once, planes and entries that pass from thread to
 * thread, the heap's account. Argument: the heap's rate (LIBPROF_HEAP_RATE). No hooks:
 * the calls are what they would do.
 */
#include "runtime/config.h"
#include "runtime/real.h"
#include "sample/core/gate.h"
#include "sample/heap/heap.h"
#include "sample/locks/contention.h"
#include "sample/profiler.h"
#include "sample/threadcreate.h"
#include "stress.h"
#include "wire/reader.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define GENERATIONS 60 /* of threads that each of the STRESS_THREADS has, one by one */
#define TURNS 400
#define SLOTS 32

static _Atomic(uintptr_t) slots[SLOTS];
static _Atomic(uint64_t) allocated, bytes, created, waits;
static pthread_mutex_t locks[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static void *allocate(size_t size)
{
    void *block = heap_count_down(size) ? real.malloc(size) : heap_malloc(size);
    atomic_fetch_add_explicit(&allocated, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&bytes, size, memory_order_relaxed);
    return block;
}

static void *grow(void *block, size_t size)
{
    atomic_fetch_add_explicit(&allocated, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&bytes, size, memory_order_relaxed);
    return !heap_count_down(size) || heap_may_track(block) ? heap_realloc(block, size)
                                                           : real.realloc(block, size);
}

static void release(void *block)
{
    if (!heap_may_track(block) || !heap_untrack(block))
        real.free(block);
}

static void fight(uint64_t *seed)
{
    pthread_mutex_t *lock = &locks[stress_random(seed) % 2];
    if (pthread_mutex_trylock(lock) != 0) {
        struct contention_wait wait;
        contention_wait_begin(&wait, lock, LEDGER_LOCK_MUTEX, (uintptr_t)&pthread_mutex_lock);
        pthread_mutex_lock(lock);
        contention_wait_end(&wait, true);
        atomic_fetch_add_explicit(&waits, 1, memory_order_relaxed);
    }
    if (waiters_any(lock)) {
        struct waiters_charge charge = contention_unlock_begin(lock);
        pthread_mutex_unlock(lock);
        contention_unlock_end(&charge, LEDGER_LOCK_MUTEX, (uintptr_t)&pthread_mutex_unlock);
    } else {
        pthread_mutex_unlock(lock);
    }
}

/* In place of the key's destructor, which comes after the sanitizer's own: a thread
 * that it takes for gone can't be followed. */
static int no_key(pthread_key_t key, const void *value)
{
    (void)key, (void)value;
    return 0;
}

/* Gives back what the thread has, and tells the ledger the rest of its account. */
static void end(void)
{
    if (gate_enter()) {
        profiler_thread_end();
        gate_leave();
    }
}

static void *live(void *argument)
{
    uint64_t seed = (uintptr_t)argument;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        void *block = allocate(1 + stress_random(&seed) % 4000);
        if (turn % 8 == 0)
            block = grow(block, 70000 + stress_random(&seed) % 1000);
        uintptr_t other = atomic_exchange(&slots[stress_random(&seed) % SLOTS], (uintptr_t)block);
        if (other)
            release((void *)other);
        if (turn % 16 == 0 && contention_on())
            fight(&seed);
    }
    end();
    return NULL;
}

/* As hooks/thread.c does it. */
static void *start(void *record)
{
    struct thread_start begin = threadcreate_born(record);
    return ((void *(*)(void *))begin.routine)(begin.argument);
}

static void raise_generations(unsigned thread, void *unused)
{
    (void)unused;
    for (uintptr_t n = 0; n < GENERATIONS; n++) {
        pthread_t child;
        void *argument = (void *)(n * STRESS_THREADS + thread + 1);
        struct thread_birth *birth = gate_active() ? threadcreate_begin(0) : NULL;
        if (!birth) /* another thread is making the key at this moment */
            continue;
        uint32_t site = birth->site;
        birth->start = (struct thread_start){(uintptr_t)live, argument};
        stress_check(pthread_create(&child, NULL, start, birth) == 0);
        threadcreate_done(site);
        atomic_fetch_add(&created, site != 0);
        pthread_join(child, NULL);
    }
}

/* The first event of the process in every thread at once. */
static void start_together(unsigned thread, void *unused)
{
    (void)unused;
    live((void *)(uintptr_t)(thread + 1));
}

static void check_ledger(bool exact)
{
    struct ledger_view view;
    struct ledger_site_view site;
    uint64_t sums[LEDGER_KINDS][2] = {0};
    stress_check(ledger && ledger_view_open(&view, ledger, ledger->size) == NULL);
    if (!ledger)
        return;
    for (uint32_t n = 1; n < ledger_view_sites(&view); n++)
        if (ledger_view_site(&view, n, &site)) {
            sums[site.kind][0] += site.count;
            sums[site.kind][1] += site.value;
        }
    uint64_t recorded = sums[LEDGER_KIND_HEAP][0], freed = sums[LEDGER_KIND_HEAP][1];
    fprintf(stderr, "%lu of %lu allocations, %lu freed, %lu threads of %lu, %lu waits, %ld bytes\n",
            (unsigned long)recorded, (unsigned long)allocated, (unsigned long)freed,
            (unsigned long)sums[LEDGER_KIND_THREADCREATE][0], (unsigned long)created,
            (unsigned long)waits, (long)atomic_load(&ledger->heap_inuse));
    /* All are freed, and each free was seen. */
    stress_check(recorded == freed && recorded > 100);
    stress_check(atomic_load(&ledger->heap_inuse) == 0);
    stress_check(sums[LEDGER_KIND_THREADCREATE][0] == created);
    if (exact) /* but for those that passed by while the recorder was started */
        stress_check(recorded <= allocated && recorded > allocated / 2);
    for (unsigned n = 0; n < LEDGER_STAT_COUNT; n++) {
        bool lost = ledger_stat_is_loss(n) && ledger_view_stat(&view, n) != 0;
        if (lost)
            fprintf(stderr, "%s: %lu\n", ledger_stat_sentence(n),
                    (unsigned long)ledger_view_stat(&view, n));
        stress_check(!lost);
    }
    if (!exact) /* the last followed block is gone, and nothing else is counted */
        for (uint64_t n = 0; n <= heap_filter->mask; n++)
            stress_check(heap_filter->counts[n] == 0 ||
                         heap_filter->counts[n] == HEAP_FILTER_KEPT); /* boot memory */
}

int main(int argc, char **argv)
{
    const char *rate = argc > 1 ? argv[1] : "1";
    setenv("LIBPROF_HEAP_RATE", rate, 1);
    setenv("LIBPROF_BLOCK_RATE", "1", 1);
    setenv("LIBPROF_MUTEX_FRACTION", "1", 1);
    setenv("LIBPROF_CPU_HZ", "0", 1); /* no signals: the sanitizer doesn't know raw handlers */
    setenv("LIBPROF_PROFILES", "heap,threadcreate,block,mutex", 1);
#ifdef __SANITIZE_THREAD__
    /* Threads that resolve at once are a race that tsan.supp allows, but the sanitizer looks
     * that up with a lock of its own held, and takes the loader's, which they hold. */
    real_resolve(false);
#endif
    stress_run(start_together, NULL);
    real.pthread_setspecific = no_key;
    stress_run(raise_generations, NULL);
    for (unsigned n = 0; n < SLOTS; n++)
        if (slots[n])
            release((void *)slots[n]);
    end();
    check_ledger(rate[0] == '1' && rate[1] == '\0');
    return stress_result();
}
