/*
 * Reader-writer locks, as mutexes (mutex.c). Several readers may be the ones that
 * are waited for: each unlock is charged with the time since the last one's, so
 * together they are charged with the whole wait.
 */
#include "hooks/export.h"
#include "hooks/lock.h"
#include "runtime/real.h"
#include "sample/locks/contention.h"

#include <pthread.h>

static __attribute__((noinline)) int rdlock_wait(pthread_rwlock_t *lock)
{
    struct contention_wait wait;
    contention_wait_begin(&wait, lock_charged_rw(lock), LEDGER_LOCK_RWLOCK,
                          (uintptr_t)real.pthread_rwlock_rdlock);
    return lock_wait_end(&wait, real.pthread_rwlock_rdlock(lock));
}

EXPORT int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    if (!contention_on())
        return real.pthread_rwlock_rdlock(lock);
    return LIKELY(real.pthread_rwlock_tryrdlock(lock) == 0) ? 0 : rdlock_wait(lock);
}

static __attribute__((noinline)) int wrlock_wait(pthread_rwlock_t *lock)
{
    struct contention_wait wait;
    contention_wait_begin(&wait, lock_charged_rw(lock), LEDGER_LOCK_RWLOCK,
                          (uintptr_t)real.pthread_rwlock_wrlock);
    return lock_wait_end(&wait, real.pthread_rwlock_wrlock(lock));
}

EXPORT int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    if (!contention_on())
        return real.pthread_rwlock_wrlock(lock);
    return LIKELY(real.pthread_rwlock_trywrlock(lock) == 0) ? 0 : wrlock_wait(lock);
}

EXPORT int pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *until)
{
    if (!contention_on() || !lock_time_is_valid(CLOCK_REALTIME, until))
        return real.pthread_rwlock_timedrdlock(lock, until);
    if (real.pthread_rwlock_tryrdlock(lock) == 0)
        return 0;
    struct contention_wait wait;
    contention_wait_begin(&wait, lock_charged_rw(lock), LEDGER_LOCK_RWLOCK,
                          (uintptr_t)real.pthread_rwlock_timedrdlock);
    return lock_wait_end(&wait, real.pthread_rwlock_timedrdlock(lock, until));
}

EXPORT int pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *until)
{
    if (!contention_on() || !lock_time_is_valid(CLOCK_REALTIME, until))
        return real.pthread_rwlock_timedwrlock(lock, until);
    if (real.pthread_rwlock_trywrlock(lock) == 0)
        return 0;
    struct contention_wait wait;
    contention_wait_begin(&wait, lock_charged_rw(lock), LEDGER_LOCK_RWLOCK,
                          (uintptr_t)real.pthread_rwlock_timedwrlock);
    return lock_wait_end(&wait, real.pthread_rwlock_timedwrlock(lock, until));
}

EXPORT int pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock,
                                      const struct timespec *until)
{
    if (!contention_on() || !lock_time_is_valid(clock, until))
        return real.pthread_rwlock_clockrdlock(lock, clock, until);
    if (real.pthread_rwlock_tryrdlock(lock) == 0)
        return 0;
    struct contention_wait wait;
    contention_wait_begin(&wait, lock_charged_rw(lock), LEDGER_LOCK_RWLOCK,
                          (uintptr_t)real.pthread_rwlock_clockrdlock);
    return lock_wait_end(&wait, real.pthread_rwlock_clockrdlock(lock, clock, until));
}

EXPORT int pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock,
                                      const struct timespec *until)
{
    if (!contention_on() || !lock_time_is_valid(clock, until))
        return real.pthread_rwlock_clockwrlock(lock, clock, until);
    if (real.pthread_rwlock_trywrlock(lock) == 0)
        return 0;
    struct contention_wait wait;
    contention_wait_begin(&wait, lock_charged_rw(lock), LEDGER_LOCK_RWLOCK,
                          (uintptr_t)real.pthread_rwlock_clockwrlock);
    return lock_wait_end(&wait, real.pthread_rwlock_clockwrlock(lock, clock, until));
}

static __attribute__((noinline)) int unlock_waited_for(pthread_rwlock_t *lock)
{
    struct waiters_charge charge = contention_unlock_begin(lock);
    int result = real.pthread_rwlock_unlock(lock);
    contention_unlock_end(&charge, LEDGER_LOCK_RWLOCK, (uintptr_t)real.pthread_rwlock_unlock);
    return result;
}

EXPORT int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    return LIKELY(!waiters_any(lock)) ? real.pthread_rwlock_unlock(lock) : unlock_waited_for(lock);
}
