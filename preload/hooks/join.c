/*
 * Waiting for threads: pthread_join and its timed forms, barriers. Block profile
 * only. A thread that has ended already isn't waited for.
 */
#include "hooks/export.h"
#include "hooks/lock.h"
#include "runtime/real.h"
#include "sample/locks/contention.h"

#include <pthread.h>

EXPORT int pthread_join(pthread_t thread, void **value)
{
    if (!contention_on())
        return real.pthread_join(thread, value);
    if (real.pthread_tryjoin_np(thread, value) == 0)
        return 0;
    struct contention_wait wait;
    contention_wait_begin(&wait, NULL, LEDGER_LOCK_THREAD, (uintptr_t)real.pthread_join);
    return lock_wait_end(&wait, real.pthread_join(thread, value));
}

EXPORT int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *until)
{
    if (!contention_on())
        return real.pthread_timedjoin_np(thread, value, until);
    if (real.pthread_tryjoin_np(thread, value) == 0)
        return 0;
    struct contention_wait wait;
    contention_wait_begin(&wait, NULL, LEDGER_LOCK_THREAD, (uintptr_t)real.pthread_timedjoin_np);
    return lock_wait_end(&wait, real.pthread_timedjoin_np(thread, value, until));
}

EXPORT int pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock,
                                const struct timespec *until)
{
    /* glibc refuses a wrong clock also when the thread has ended. */
    if (!contention_on() || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME))
        return real.pthread_clockjoin_np(thread, value, clock, until);
    if (real.pthread_tryjoin_np(thread, value) == 0)
        return 0;
    struct contention_wait wait;
    contention_wait_begin(&wait, NULL, LEDGER_LOCK_THREAD, (uintptr_t)real.pthread_clockjoin_np);
    return lock_wait_end(&wait, real.pthread_clockjoin_np(thread, value, clock, until));
}

EXPORT int pthread_barrier_wait(pthread_barrier_t *barrier)
{
    if (!contention_on())
        return real.pthread_barrier_wait(barrier);
    /* The last one to come, who gets PTHREAD_BARRIER_SERIAL_THREAD, doesn't wait. */
    struct contention_wait wait;
    contention_wait_begin(&wait, NULL, LEDGER_LOCK_BARRIER, (uintptr_t)real.pthread_barrier_wait);
    int result = real.pthread_barrier_wait(barrier);
    contention_wait_end(&wait, result == 0);
    return result;
}
