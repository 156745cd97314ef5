/*
 * What a fight for a mutex costs with preloaded hooks and without, side by side.
 *
 *   storm SLICES THREADS [INSIDE [OUTSIDE]]
 *
 * Threads fight for one mutex, with so many rounds of work (a multiplication each, 1 to 2 ns)
 * while they hold it and while they don't; none unless told. They change every 2 ms between
 * the functions that the program is bound to and the C library's own: a fight is so sensitive to
 * what else the machine does that two runs of it can't be compared, but neighbouring slices
 * can. Prints ns a pair of lock and unlock without hooks, and the ratio of wall time and CPU time
 * with to without: the median over pairs of slices, and its quartiles.
 *
 * Fighting threads are bound to processors in turn: two on one processor don't fight. They run
 * before all others (SCHED_FIFO) where that is allowed.
 */
#include "../lib/processor.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SLICE_NS 2000000
#define SETTLE_NS 20000
#define MAX_THREADS 64

typedef int mutex_function(pthread_mutex_t *mutex);
enum { DIRECT, HOOKED, STOP };

/* Each on lines of its own: the mutex is what is fought for, nothing else. */
static struct {
    _Alignas(128) pthread_mutex_t mutex;
} fought_for = {PTHREAD_MUTEX_INITIALIZER};
static struct {
    _Alignas(128) atomic_int how;
} slice;
static struct {
    _Alignas(128) volatile long pairs;
    volatile unsigned long sink;
} thread_data[MAX_THREADS];
static mutex_function *lock[2], *unlock[2];
static long inside, outside;

static void work(long rounds, long self)
{
    unsigned long x = (unsigned long)self;
    for (long n = 0; n < rounds; n++)
        x = x * 6364136223846793005u + 1;
    thread_data[self].sink = x;
}

static void *fight(void *number)
{
    long self = (long)number;
    processor_take((unsigned)self);
    for (;;) {
        int how = atomic_load_explicit(&slice.how, memory_order_relaxed);
        if (how == STOP)
            return NULL;
        lock[how](&fought_for.mutex);
        if (inside)
            work(inside, self);
        unlock[how](&fought_for.mutex);
        if (outside)
            work(outside, self);
        thread_data[self].pairs++;
    }
}

static double seconds(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void pause_for(long ns)
{
    struct timespec ts = {0, ns};
    nanosleep(&ts, NULL);
}

struct cost {
    double wall, cpu; /* seconds a pair */
};

static struct cost one_slice(int how, long threads)
{
    long pairs = 1;
    atomic_store(&slice.how, how);
    pause_for(SETTLE_NS);
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (long n = 0; n < threads; n++)
        pairs -= thread_data[n].pairs;
    pause_for(SLICE_NS);
    for (long n = 0; n < threads; n++)
        pairs += thread_data[n].pairs;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return (struct cost){wall / (double)pairs, cpu / (double)pairs};
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void look_up(void)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW);
    for (int how = DIRECT; how <= HOOKED; how++) {
        void *where = how == DIRECT ? libc : RTLD_DEFAULT;
        *(void **)&lock[how] = dlsym(where, "pthread_mutex_lock"); /* dlsym(3p): as POSIX has it */
        *(void **)&unlock[how] = dlsym(where, "pthread_mutex_unlock");
    }
}

int main(int argc, char **argv)
{
    long slices = argc > 2 ? atol(argv[1]) : 0, threads = argc > 2 ? atol(argv[2]) : 0;
    inside = argc > 3 ? atol(argv[3]) : 0;
    outside = argc > 4 ? atol(argv[4]) : 0;
    if (slices < 1 || slices > 100000 || threads < 1 || threads > MAX_THREADS) {
        fprintf(stderr, "usage: storm SLICES THREADS [INSIDE [OUTSIDE]]\n");
        return 2;
    }
    look_up();
    pthread_t ids[MAX_THREADS];
    struct sched_param priority = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_FIFO, &priority);
    for (long n = 0; n < threads; n++)
        pthread_create(&ids[n], NULL, fight, (void *)n);
    priority.sched_priority = 2; /* who changes the slices is to come in between */
    sched_setscheduler(0, SCHED_FIFO, &priority);
    size_t count = (size_t)slices;
    double *wall = calloc(count, sizeof *wall), *cpu = calloc(count, sizeof *cpu),
           *direct = calloc(count, sizeof *direct);
    if (!wall || !cpu || !direct)
        abort();
    for (size_t n = 0; n < count; n++) {
        struct cost cost[2];
        for (int turn = 0; turn < 2; turn++) {
            int how = (turn + (int)n) % 2; /* A B, B A, ... */
            cost[how] = one_slice(how, threads);
        }
        wall[n] = cost[HOOKED].wall / cost[DIRECT].wall;
        cpu[n] = cost[HOOKED].cpu / cost[DIRECT].cpu;
        direct[n] = cost[DIRECT].wall * 1e9;
    }
    atomic_store(&slice.how, STOP);
    for (long n = 0; n < threads; n++)
        pthread_join(ids[n], NULL);
    qsort(wall, count, sizeof *wall, compare);
    qsort(cpu, count, sizeof *cpu, compare);
    qsort(direct, count, sizeof *direct, compare);
    printf("%.1f ns, wall %.3f (%.3f-%.3f), CPU %.3f\n", direct[count / 2], wall[count / 2],
           wall[count / 4], wall[count * 3 / 4], cpu[count / 2]);
    return 0;
}
