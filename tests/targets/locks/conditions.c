/* Condition variables. */
#include "locks.h"

#include <unistd.h>

static pthread_mutex_t cond_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int signalled;

static void *signal_later(void *unused)
{
    usleep(30000);
    pthread_mutex_lock(&cond_mutex);
    signalled = 1;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&cond_mutex);
    return unused;
}

/* A condition that measures its times on the other clock. */
static void monotonic_condition(void)
{
    pthread_condattr_t attr;
    pthread_cond_t monotonic;
    context = "monotonic condition";
    pthread_condattr_init(&attr);
    SHOW(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    pthread_cond_init(&monotonic, &attr);
    pthread_mutex_lock(&cond_mutex);
    struct timespec soon = from_now(CLOCK_MONOTONIC, 30 * MS);
    SHOW_UNTIL(pthread_cond_timedwait(&monotonic, &cond_mutex, &soon), CLOCK_MONOTONIC, soon);
    struct timespec soon_real = from_now(CLOCK_REALTIME, 30 * MS);
    SHOW_UNTIL(pthread_cond_clockwait(&monotonic, &cond_mutex, CLOCK_REALTIME, &soon_real),
               CLOCK_REALTIME, soon_real);
    pthread_mutex_unlock(&cond_mutex);
    pthread_cond_destroy(&monotonic);
}

void conditions(void)
{
    pthread_t thread;
    pthread_mutexattr_t attr;
    pthread_mutex_t errorcheck;
    context = "condition";
    struct timespec soon = from_now(CLOCK_REALTIME, 20 * MS);
    struct timespec soon_mono = from_now(CLOCK_MONOTONIC, 40 * MS);
    pthread_mutex_lock(&cond_mutex);
    SHOW_UNTIL(pthread_cond_timedwait(&cond, &cond_mutex, &soon), CLOCK_REALTIME, soon);
    SHOW_UNTIL(pthread_cond_clockwait(&cond, &cond_mutex, CLOCK_MONOTONIC, &soon_mono),
               CLOCK_MONOTONIC, soon_mono);
    SHOW(pthread_cond_clockwait(&cond, &cond_mutex, BAD_CLOCK, &soon_mono));
    SHOW(pthread_cond_timedwait(&cond, &cond_mutex, &invalid));
    SHOW(pthread_cond_timedwait(&cond, &cond_mutex, &past));
    signalled = 0;
    pthread_create(&thread, NULL, signal_later, NULL);
    while (!signalled)
        SHOW(pthread_cond_wait(&cond, &cond_mutex));
    SHOW(pthread_mutex_unlock(&cond_mutex));
    pthread_join(thread, NULL);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&errorcheck, &attr);
    context = "condition, mutex not held";
    SHOW(pthread_cond_wait(&cond, &errorcheck));
    SHOW(pthread_cond_timedwait(&cond, &errorcheck, &past));
    monotonic_condition();
}
