/*
 * Waiting for threads: pthread_join and its timed forms, barriers. Block profile
 * only. A thread that has ended already isn't waited for.
 */
#include "hooks/export.h"
#include "hooks/lock.h"
#include "runtime/real.h"
#include "sample/locks/contention.h"

#include <pthread.h>

#define JOIN_WAIT(function, ...)                                                                   \
    CONTENTION_WAIT(NULL, LEDGER_LOCK_THREAD, lock_waited(result), function, __VA_ARGS__)

EXPORT int pthread_join(pthread_t thread, void **value)
{
    if (!contention_on())
        return real.pthread_join(thread, value);
    if (real.pthread_tryjoin_np(thread, value) == 0)
        return 0;
    return JOIN_WAIT(pthread_join, thread, value);
}

EXPORT int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *until)
{
    if (!contention_on())
        return real.pthread_timedjoin_np(thread, value, until);
    if (real.pthread_tryjoin_np(thread, value) == 0)
        return 0;
    return JOIN_WAIT(pthread_timedjoin_np, thread, value, until);
}

EXPORT int pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock,
                                const struct timespec *until)
{
    /* glibc refuses a wrong clock also when the thread has ended. */
    if (!contention_on() || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME))
        return real.pthread_clockjoin_np(thread, value, clock, until);
    if (real.pthread_tryjoin_np(thread, value) == 0)
        return 0;
    return JOIN_WAIT(pthread_clockjoin_np, thread, value, clock, until);
}

EXPORT int pthread_barrier_wait(pthread_barrier_t *barrier)
{
    if (!contention_on())
        return real.pthread_barrier_wait(barrier);
    /* The last one to come, who gets PTHREAD_BARRIER_SERIAL_THREAD, doesn't wait. */
    return CONTENTION_WAIT(NULL, LEDGER_LOCK_BARRIER, result == 0, pthread_barrier_wait, barrier);
}
