/* How long waits take: by the program's own clock, and by the kernel's word for who sleeps. */
#include "waits.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

atomic_long least, most, squares;
atomic_int ready, signalled, held, places;
long ms, rounds;

static atomic_int waiting[64]; /* who is about to wait: thread ids, `ready` of them */

long now(void)
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
void rest(int waiters)
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
void announce(void)
{
    int place = atomic_fetch_add(&places, 1);
    waiting[place % 64] = gettid();
    ready++;
}
