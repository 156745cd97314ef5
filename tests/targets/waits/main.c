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
#include "waits.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_spinlock_t spin;
pthread_barrier_t barrier;

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
        use_freely();
    } else if (strcmp(mode, "storm") == 0) {
        fight(argc > 3);
        printf("squares %ld\n", (long)squares);
    } else if (strcmp(mode, "fork") == 0) {
        ms = 50;
        wait_in_child();
    } else {
        fprintf(stderr, "waits: see the comment at the top of waits/main.c\n");
        return 2;
    }
    printf("%d %ld %ld\n", getpid(), (long)least, (long)most);
    return 0;
}
