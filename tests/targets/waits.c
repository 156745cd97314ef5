/*
 * Waits of known length, each kind of lock in functions of its own names.
 *
 *   waits held N MS      N threads wait for a mutex that another holds for MS
 *   waits rounds N MS    one thread waits N times for a mutex held for MS each time
 *   waits kind KIND MS   one wait of MS: rwlock, spin, cond, sem, barrier, join, c11, recursive
 *   waits free N         N uncontended uses of every kind
 *   waits storm N [spin] two threads fight N times each for a mutex, or a spin lock, for
 *                        microseconds
 *   waits fork           a child that waits, while its parent's threads wait
 *
 * Prints two times in ns, by its own clock: how long the threads waited at least (from
 * when the kernel shows them asleep to just before they are let go) and at most (from
 * before the call to after it). What a profile shows lies between the two, whatever
 * else the machine does. `rounds` and `storm` print the sum of the waits' squares first, in us^2.
 */
#include "../lib/processor.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore;
static mtx_t c11_mutex;
static pthread_t sleeper;
static atomic_long least, most, squares; /* squares: of the waits, us^2 */
static atomic_int ready, signalled, held, places;
static atomic_int waiting[64]; /* who is about to wait: thread ids, `ready` of them */
static long ms, rounds;
static int spins;

static long now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void pause_for(long nanoseconds)
{
    struct timespec ts = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    nanosleep(&ts, NULL);
}

/* State and processor time, in ticks, of a thread (proc(5)). */
static char state_of(int tid, unsigned long *ticks)
{
    char path[64], line[512], state = '?';
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *file = fopen(path, "re");
    const char *rest = file && fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    if (rest)
        sscanf(rest, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &state, &user,
               &system);
    if (file)
        fclose(file);
    *ticks = user + system;
    return state;
}

/* Returns when the nth waiter waits for certain: it sleeps, having said that it is
 * about to wait, or, in a spin lock, has run for 20 ms since. */
static void see_waiting(int n)
{
    unsigned long first, ticks;
    state_of(waiting[n], &first);
    while (state_of(waiting[n], &ticks) != 'S' && ticks < first + 2)
        pause_for(20000);
}

/* Keeps so many waiting for `ms`. What follows lets them go. */
static void rest(int waiters)
{
    while (ready < waiters)
        sched_yield();
    for (int n = 0; n < waiters; n++)
        see_waiting(n);
    long start = now();
    pause_for(ms * 1000000);
    least += waiters * (now() - start);
}

/* Says that the calling thread is about to wait. */
static void announce(void)
{
    int place = atomic_fetch_add(&places, 1);
    waiting[place % 64] = gettid();
    ready++;
}

/* Runs a wait and adds its length. The compiler is not to make a tail call of it. */
#define WAIT(call)                                                                                 \
    do {                                                                                           \
        announce();                                                                                \
        long start = now();                                                                        \
        call;                                                                                      \
        long took = now() - start;                                                                 \
        most += took;                                                                              \
        squares += took / 1000 * (took / 1000);                                                    \
    } while (0)

static APART void mutex_waiter(void)
{
    WAIT(pthread_mutex_lock(&mutex));
    pthread_mutex_unlock(&mutex);
    __asm__ volatile("");
}

static APART void mutex_holder(int waiters)
{
    pthread_mutex_lock(&mutex);
    ready = places = 0;
    signalled = 1;
    rest(waiters);
    pthread_mutex_unlock(&mutex);
    __asm__ volatile("");
}

static void *wait_once(void *unused)
{
    while (!signalled)
        sched_yield();
    mutex_waiter();
    return unused;
}

static void hold(int waiters)
{
    pthread_t ids[64];
    for (int n = 0; n < waiters; n++)
        pthread_create(&ids[n], NULL, wait_once, NULL);
    mutex_holder(waiters);
    for (int n = 0; n < waiters; n++)
        pthread_join(ids[n], NULL);
}

static void *wait_rounds(void *unused)
{
    for (long n = 0; n < rounds; n++) {
        while (!signalled)
            sched_yield();
        signalled = 0;
        mutex_waiter();
        pthread_barrier_wait(&barrier);
    }
    return unused;
}

static void hold_rounds(void)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, wait_rounds, NULL);
    for (long n = 0; n < rounds; n++) {
        mutex_holder(1);
        pthread_barrier_wait(&barrier);
    }
    pthread_join(thread, NULL);
}

/* The kinds: who makes others wait, and who waits. */
static APART void rwlock_hold(void)
{
    pthread_rwlock_rdlock(&rwlock);
    held = 1;
    rest(1);
    pthread_rwlock_unlock(&rwlock);
    __asm__ volatile("");
}

static APART void rwlock_wait(void)
{
    WAIT(pthread_rwlock_wrlock(&rwlock));
    pthread_rwlock_unlock(&rwlock);
}

static APART void spin_hold(void)
{
    pthread_spin_lock(&spin);
    held = 1;
    rest(1);
    pthread_spin_unlock(&spin);
    __asm__ volatile("");
}

static APART void spin_wait(void)
{
    WAIT(pthread_spin_lock(&spin));
    pthread_spin_unlock(&spin);
}

static APART void cond_hold(void)
{
    held = 1;
    rest(1);
    pthread_mutex_lock(&mutex);
    signalled = 1;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
}

static APART void cond_wait(void)
{
    pthread_mutex_lock(&mutex);
    while (!signalled)
        WAIT(pthread_cond_wait(&cond, &mutex));
    pthread_mutex_unlock(&mutex);
}

static APART void sem_hold(void)
{
    held = 1;
    rest(1);
    sem_post(&semaphore);
}

static APART void sem_waiter(void)
{
    WAIT(sem_wait(&semaphore));
}

static APART void barrier_hold(void)
{
    held = 1;
    rest(1);
    pthread_barrier_wait(&barrier);
    __asm__ volatile("");
}

static APART void barrier_waiter(void)
{
    WAIT(pthread_barrier_wait(&barrier));
}

static APART void join_hold(void)
{
    held = 1;
    rest(1);
}

static APART void join_waiter(void)
{
    WAIT(pthread_join(sleeper, NULL));
}

static APART void c11_hold(void)
{
    mtx_lock(&c11_mutex);
    held = 1;
    rest(1);
    mtx_unlock(&c11_mutex);
    __asm__ volatile("");
}

static APART void c11_wait(void)
{
    WAIT(mtx_lock(&c11_mutex));
    mtx_unlock(&c11_mutex);
}

static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static APART void inner_unlock(void)
{
    pthread_mutex_unlock(&recursive);
    __asm__ volatile("");
}

static APART void recursive_hold(void)
{
    pthread_mutex_lock(&recursive);
    pthread_mutex_lock(&recursive);
    held = 1;
    rest(1);
    inner_unlock();
    pthread_mutex_unlock(&recursive);
    __asm__ volatile("");
}

static APART void recursive_wait(void)
{
    WAIT(pthread_mutex_lock(&recursive));
    pthread_mutex_unlock(&recursive);
}

static const struct {
    const char *name;
    void (*hold)(void), (*wait)(void);
} kinds[] = {
    {"rwlock", rwlock_hold, rwlock_wait},
    {"spin", spin_hold, spin_wait},
    {"cond", cond_hold, cond_wait},
    {"sem", sem_hold, sem_waiter},
    {"barrier", barrier_hold, barrier_waiter},
    {"join", join_hold, join_waiter},
    {"c11", c11_hold, c11_wait},
    {"recursive", recursive_hold, recursive_wait},
};

static void *run(void *hold)
{
    (*(void (**)(void))hold)();
    return NULL;
}

static int one_kind(const char *name)
{
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        if (strcmp(kinds[n].name, name) != 0)
            continue;
        pthread_spin_init(&spin, 0);
        sem_init(&semaphore, 0, 0);
        mtx_init(&c11_mutex, mtx_plain);
        pthread_barrier_init(&barrier, NULL, 2);
        pthread_create(&sleeper, NULL, run, (void *)&kinds[n].hold);
        while (!held)
            sched_yield();
        kinds[n].wait();
        if (kinds[n].wait != join_waiter)
            pthread_join(sleeper, NULL);
        return 0;
    }
    return 2;
}

static void *use_freely(void *unused)
{
    sem_init(&semaphore, 0, 1);
    mtx_init(&c11_mutex, mtx_plain);
    pthread_spin_init(&spin, 0);
    for (long n = 0; n < rounds; n++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
        pthread_rwlock_rdlock(&rwlock);
        pthread_rwlock_rdlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
        pthread_rwlock_wrlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
        pthread_spin_lock(&spin);
        pthread_spin_unlock(&spin);
        sem_wait(&semaphore);
        sem_post(&semaphore);
        mtx_lock(&c11_mutex);
        mtx_unlock(&c11_mutex);
        pthread_mutex_lock(&recursive);
        pthread_mutex_lock(&recursive);
        pthread_mutex_unlock(&recursive);
        pthread_mutex_unlock(&recursive);
    }
    return unused;
}

/* Keeps the processor for so many ns. */
static void be_busy(long ns)
{
    for (long start = now(); now() - start < ns;)
        ;
}

/* One turn of a fight: 10 us with the mutex, 5 to 15 us without. What a wait took can't be told
 * from what its call did, some 100 ns of it; `least` knows only the waits beyond that. */
static APART void storm_lock(unsigned turn)
{
    long start = now();
    if (spins)
        pthread_spin_lock(&spin);
    else
        pthread_mutex_lock(&mutex);
    long took = now() - start;
    be_busy(10000);
    if (spins)
        pthread_spin_unlock(&spin);
    else
        pthread_mutex_unlock(&mutex);
    most += took;
    least += took > 500 ? took - 500 : 0;
    squares += took / 100 * (took / 100) / 100;
    be_busy(5000 + turn * 2654435761u % 10000);
}

/* On a processor of its own, and where it may before all others: two that take turns on
 * one don't fight. */
static void take_processor(unsigned wanted)
{
    processor_take(wanted);
    struct sched_param first = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_FIFO, &first);
}

static void *storm(void *unused)
{
    take_processor((unsigned)atomic_fetch_add(&places, 1));
    pthread_barrier_wait(&barrier);
    for (long n = 0; n < rounds; n++)
        storm_lock((unsigned)n);
    return unused;
}

/* The parent's table of waiters comes along, with threads that don't. */
static void wait_in_child(void)
{
    pthread_t ids[4];
    pthread_mutex_lock(&mutex);
    ready = places = 0;
    signalled = 1;
    for (int n = 0; n < 4; n++)
        pthread_create(&ids[n], NULL, wait_once, NULL);
    rest(4);
    pid_t child = fork();
    if (child == 0) {
        least = most = 0;
        pthread_mutex_unlock(&mutex);
        signalled = 0;
        hold(2);
        printf("%d %ld %ld\n", getpid(), (long)least, (long)most);
        fflush(stdout);
        exit(0);
    }
    waitpid(child, NULL, 0);
    pthread_mutex_unlock(&mutex);
    for (int n = 0; n < 4; n++)
        pthread_join(ids[n], NULL);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    rounds = argc > 2 ? atol(argv[2]) : 0;
    ms = argc > 3 ? atol(argv[3]) : 0;
    if (strcmp(mode, "held") == 0 && rounds > 0 && rounds <= 64) {
        hold((int)rounds);
    } else if (strcmp(mode, "rounds") == 0) {
        hold_rounds();
        printf("squares %ld\n", (long)squares);
    } else if (strcmp(mode, "kind") == 0 && argc > 3) {
        if (one_kind(argv[2]))
            return 2;
    } else if (strcmp(mode, "free") == 0) {
        use_freely(NULL);
    } else if (strcmp(mode, "storm") == 0) {
        pthread_t ids[2];
        spins = argc > 3;
        pthread_spin_init(&spin, 0);
        pthread_barrier_init(&barrier, NULL, 2);
        for (int n = 0; n < 2; n++)
            pthread_create(&ids[n], NULL, storm, NULL);
        for (int n = 0; n < 2; n++)
            pthread_join(ids[n], NULL);
        printf("squares %ld\n", (long)squares);
    } else if (strcmp(mode, "fork") == 0) {
        ms = 50;
        wait_in_child();
    } else {
        fprintf(stderr, "waits: see the comment at the top of waits.c\n");
        return 2;
    }
    printf("%d %ld %ld\n", getpid(), (long)least, (long)most);
    return 0;
}
