/*
 * What a lock costs: ns for each lock and unlock.
 *
 *   lock pair N           one thread, nobody else: an uncontended mutex
 *   lock rwlock N         the same with a reader-writer lock held to read
 *   lock storm N THREADS [INSIDE [OUTSIDE]]
 *                         threads that fight for one mutex, with so many rounds of work
 *                         (a multiplication each, 1 to 2 ns) while they hold it and
 *                         while they don't; none unless told
 *
 * Fighting threads are bound to processors in turn: two on one processor don't fight.
 */

#include "../lib/processor.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t start;
static long count;
static _Atomic unsigned next_processor;
static volatile unsigned long shared, sink;
static long inside, outside;

static void work(long rounds)
{
    unsigned long x = shared;
    for (long n = 0; n < rounds; n++)
        x = x * 6364136223846793005u + 1;
    sink = x;
}

static double seconds(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void *storm(void *unused)
{
    processor_take(next_processor++);
    pthread_barrier_wait(&start);
    for (long n = 0; n < count; n++) {
        pthread_mutex_lock(&mutex);
        shared++;
        if (inside)
            work(inside);
        pthread_mutex_unlock(&mutex);
        if (outside)
            work(outside);
    }
    return unused;
}

static void *idle(void *unused)
{
    pthread_barrier_wait(&start);
    return unused;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 2 ? argv[1] : "";
    count = argc > 2 ? atol(argv[2]) : 0;
    unsigned threads = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
    int fight = strcmp(mode, "storm") == 0;
    inside = argc > 4 ? atol(argv[4]) : 0;
    outside = argc > 5 ? atol(argv[5]) : 0;
    if (count <= 0 || threads < 1 || threads > 64) {
        fprintf(stderr, "usage: lock pair|rwlock N, lock storm N THREADS [INSIDE [OUTSIDE]]\n");
        return 2;
    }
    pthread_t ids[64];
    pthread_barrier_init(&start, NULL, threads + 1);
    for (unsigned n = 0; n < threads; n++)
        pthread_create(&ids[n], NULL, fight ? storm : idle, NULL);
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    pthread_barrier_wait(&start);
    if (fight) {
        for (unsigned n = 0; n < threads; n++)
            pthread_join(ids[n], NULL);
    } else if (strcmp(mode, "rwlock") == 0) {
        for (long n = 0; n < count; n++) {
            pthread_rwlock_rdlock(&rwlock);
            pthread_rwlock_unlock(&rwlock);
        }
    } else {
        for (long n = 0; n < count; n++) {
            pthread_mutex_lock(&mutex);
            pthread_mutex_unlock(&mutex);
        }
    }
    double pairs = (double)count * (fight ? threads : 1);
    printf("%.2f ns wall, %.2f ns CPU a pair\n", (seconds(CLOCK_MONOTONIC) - wall) / pairs * 1e9,
           (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / pairs * 1e9);
    return 0;
}
