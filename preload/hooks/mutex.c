/*
 * Mutexes and spin locks. A lock is tried first: one that is free costs what it
 * always did and a test. Only when it isn't does the real, waiting call run, between two
 * readings of the clock.
 *
 * The attempt decides nothing but success: every other answer (EBUSY, and EDEADLK,
 * EINVAL, ENOTRECOVERABLE ... of the mutex's type) is given by the real call, so
 * types, robustness and protocols behave as without us. EOWNERDEAD is a success:
 * the caller has the lock (pthread_mutex_lock(3p)).
 *
 * pthread_mutex_trylock(3p): trylock is equivalent to lock, except that it
 * returns immediately if the mutex is locked.
 */
#include "hooks/export.h"
#include "runtime/real.h"
#include "sample/contention.h"

#include <errno.h>
#include <pthread.h>

static inline bool has_lock(int error)
{
    return error == 0 || error == EOWNERDEAD;
}

/* It waited: it got the lock, or the time was over. */
static inline bool has_waited(int error)
{
    return has_lock(error) || error == ETIMEDOUT;
}

/* error: the attempt's. */
static __attribute__((noinline)) int lock_wait(pthread_mutex_t *mutex, int error)
{
    if (error == EOWNERDEAD)
        return error;
    return CONTENTION_WAIT(mutex, LEDGER_LOCK_MUTEX, has_waited(result), pthread_mutex_lock, mutex);
}

EXPORT int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!contention_on())
        return real.pthread_mutex_lock(mutex);
    int error = real.pthread_mutex_trylock(mutex);
    return LIKELY(error == 0) ? 0 : lock_wait(mutex, error);
}

EXPORT int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    if (!contention_on())
        return real.pthread_mutex_timedlock(mutex, until);
    int error = real.pthread_mutex_trylock(mutex);
    if (has_lock(error))
        return error;
    return CONTENTION_WAIT(mutex, LEDGER_LOCK_MUTEX, has_waited(result), pthread_mutex_timedlock,
                           mutex, until);
}

EXPORT int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *until)
{
    /* Of a wrong clock glibc complains also when the mutex is free. */
    if (!contention_on() || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME))
        return real.pthread_mutex_clocklock(mutex, clock, until);
    int error = real.pthread_mutex_trylock(mutex);
    if (has_lock(error))
        return error;
    return CONTENTION_WAIT(mutex, LEDGER_LOCK_MUTEX, has_waited(result), pthread_mutex_clocklock,
                           mutex, clock, until);
}

/* Will this unlock leave a recursive mutex locked? Then it lets nobody go. The
 * fields are in glibc's public headers, for the static initializers. */
static inline bool stays_locked(const pthread_mutex_t *mutex)
{
#ifdef __GLIBC__
    return (mutex->__data.__kind & 3) == PTHREAD_MUTEX_RECURSIVE && mutex->__data.__count > 1;
#else
    return false;
#endif
}

static __attribute__((noinline)) int unlock_waited_for(pthread_mutex_t *mutex)
{
    if (stays_locked(mutex))
        return real.pthread_mutex_unlock(mutex);
    return CONTENTION_UNLOCK(mutex, LEDGER_LOCK_MUTEX, pthread_mutex_unlock);
}

EXPORT int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    return LIKELY(!waiters_any(mutex)) ? real.pthread_mutex_unlock(mutex)
                                       : unlock_waited_for(mutex);
}

static __attribute__((noinline)) int spin_wait(pthread_spinlock_t *lock)
{
    const void *name = (const void *)lock; /* a spin lock's type is volatile */
    return CONTENTION_WAIT(name, LEDGER_LOCK_SPIN, has_waited(result), pthread_spin_lock, lock);
}

EXPORT int pthread_spin_lock(pthread_spinlock_t *lock)
{
    if (!contention_on())
        return real.pthread_spin_lock(lock);
    return LIKELY(real.pthread_spin_trylock(lock) == 0) ? 0 : spin_wait(lock);
}

static __attribute__((noinline)) int spin_unlock_waited_for(pthread_spinlock_t *lock)
{
    struct waiters_charge charge = contention_unlock_begin((const void *)lock);
    int result = real.pthread_spin_unlock(lock);
    contention_unlock_end(&charge, LEDGER_LOCK_SPIN, (uintptr_t)real.pthread_spin_unlock);
    return result;
}

EXPORT int pthread_spin_unlock(pthread_spinlock_t *lock)
{
    return LIKELY(!waiters_any((const void *)lock)) ? real.pthread_spin_unlock(lock)
                                                    : spin_unlock_waited_for(lock);
}
