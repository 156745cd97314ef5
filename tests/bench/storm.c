/*
 * What a fight for a mutex costs with preloaded hooks and without, side by side.
 *
 *   storm SLICES THREADS [INSIDE [OUTSIDE]]
 *
 * Threads fight for one mutex, with so many rounds of work (a multiplication each, 1 to 2 ns)
 * on average while they hold it and while they don't; none unless told. Each turn's rounds are
 * drawn from 0 to twice that, for with equal ones two threads come to run in step, and five
 * instructions more or less then move the fight by 3 to 7 %, a call instead of a jump by 20. They
 * change every 2 ms between the functions that the program is bound to and the C library's own: a
 * fight is so sensitive to what else the machine does that two runs of it can't be compared, but
 * neighbouring slices can. Prints ns a pair of lock and unlock without hooks, and the ratio of wall
 * time and CPU time with to without: of all slices together, of which each lasts as long.
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
#define TURNS 4096 /* a power of two */

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
    struct {
        unsigned short inside, outside;
    } turns[TURNS];
} thread_data[MAX_THREADS];
static mutex_function *lock[2], *unlock[2];
static long inside, outside;

static void draw_turns(unsigned random, long self)
{
    for (int n = 0; n < 2 * TURNS; n++) {
        random = random * 1664525 + 1013904223; /* Numerical Recipes' generator */
        if (n % 2)
            thread_data[self].turns[n / 2].inside =
                (unsigned short)((random >> 8) % (2 * inside + 1));
        else
            thread_data[self].turns[n / 2].outside =
                (unsigned short)((random >> 8) % (2 * outside + 1));
    }
}

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
    draw_turns((unsigned)self, self);
    for (unsigned turn = 0;; turn = (turn + 1) % TURNS) {
        int how = atomic_load_explicit(&slice.how, memory_order_relaxed);
        if (how == STOP)
            return NULL;
        lock[how](&fought_for.mutex);
        work(thread_data[self].turns[turn].inside, self);
        unlock[how](&fought_for.mutex);
        work(thread_data[self].turns[turn].outside, self);
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
    double pairs, wall, cpu; /* the last two: seconds */
};

static void one_slice(int how, long threads, struct cost *sum)
{
    long pairs = 0;
    atomic_store(&slice.how, how);
    pause_for(SETTLE_NS);
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (long n = 0; n < threads; n++)
        pairs -= thread_data[n].pairs;
    pause_for(SLICE_NS);
    for (long n = 0; n < threads; n++)
        pairs += thread_data[n].pairs;
    sum->pairs += (double)pairs;
    sum->wall += seconds(CLOCK_MONOTONIC) - wall;
    sum->cpu += seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
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
    if (slices < 1 || slices > 100000 || threads < 1 || threads > MAX_THREADS || inside < 0 ||
        inside > 30000 || outside < 0 || outside > 30000) {
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
    struct cost sums[2] = {{0}};
    for (long n = 0; n < slices; n++)
        for (int turn = 0; turn < 2; turn++) {
            int how = (turn + (int)n) % 2; /* A B, B A, ... */
            one_slice(how, threads, &sums[how]);
        }
    atomic_store(&slice.how, STOP);
    for (long n = 0; n < threads; n++)
        pthread_join(ids[n], NULL);
    double hooked = 1 / sums[HOOKED].pairs, direct = 1 / sums[DIRECT].pairs;
    printf("%.1f ns, wall %.4f, CPU %.4f\n", sums[DIRECT].wall * direct * 1e9,
           sums[HOOKED].wall * hooked / (sums[DIRECT].wall * direct),
           sums[HOOKED].cpu * hooked / (sums[DIRECT].cpu * direct));
    return 0;
}
