/*
 * Mutexes and spin locks. A lock is tried first: one that is free costs what it
 * always did and a test. Only when it isn't does the real, waiting call run, between two
 * readings of the clock.
 *
 * The attempt decides nothing but success: every other answer (EBUSY, and EDEADLK,
 * EINVAL, EAGAIN ... of the mutex's type) is given by the real call, so types and
 * protocols behave as without us. pthread_mutex_trylock(3p): trylock is equivalent
 * to lock, except that it returns immediately if the mutex is locked.
 *
 * Two kinds are not tried, because glibc's (2.36) trylock has effects when it
 * fails: it leaves a robust mutex that is not recoverable locked (the next lock
 * hangs), and one with a priority ceiling too. Whether they are held is read
 * from their word instead.
 */
#include "hooks/export.h"
#include "runtime/real.h"
#include "runtime/sys.h"
#include "sample/contention.h"
#include "sample/handler.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>

/* It waited: it got the lock, or the time was over. */
static inline bool has_waited(int error)
{
    return error == 0 || error == EOWNERDEAD || error == ETIMEDOUT;
}

#ifdef __GLIBC__
/* Of __data.__kind, and the part of __data.__lock that is not the ceiling
 * (nptl/pthreadP.h). The fields are in glibc's public headers, for the static
 * initializers. */
#define ROBUST_BIT 16
#define PROTECT_BIT 64
#define PROTECT_LOCKED 0x7ffff

static inline bool may_be_tried(const pthread_mutex_t *mutex)
{
    return (mutex->__data.__kind & (ROBUST_BIT | PROTECT_BIT)) == 0;
}

/* Does another thread, alive, hold a mutex that may not be tried? A robust one's
 * word is the kernel's as well: the owner's tid, and flags (futex(2)). */
static bool is_held(const pthread_mutex_t *mutex)
{
    uint32_t word = (uint32_t)__atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED);
    if (mutex->__data.__kind & PROTECT_BIT)
        return (word & PROTECT_LOCKED) != 0;
    uint32_t owner = word & FUTEX_TID_MASK;
    if (handler_sealed()) /* can't ask who we are: it counts as free, and isn't timed */
        return false;
    return owner && !(word & FUTEX_OWNER_DIED) && owner != (uint32_t)sys_gettid();
}
#else
static inline bool may_be_tried(const pthread_mutex_t *mutex)
{
    return true;
}

static bool is_held(const pthread_mutex_t *mutex)
{
    return true;
}
#endif

/* Is it certain that nobody is to be waited for? Otherwise try() is the way to find out. */
static inline bool needs_no_wait(const pthread_mutex_t *mutex)
{
    return !LIKELY(may_be_tried(mutex)) && !is_held(mutex);
}

/* Takes a mutex that is free, if it may be tried. */
static inline bool try(pthread_mutex_t *mutex)
{
    return LIKELY(may_be_tried(mutex)) && LIKELY(real.pthread_mutex_trylock(mutex) == 0);
}

static __attribute__((noinline)) int lock_wait(pthread_mutex_t *mutex)
{
    return CONTENTION_WAIT(mutex, LEDGER_LOCK_MUTEX, has_waited(result), pthread_mutex_lock, mutex);
}

EXPORT int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!contention_on() || needs_no_wait(mutex))
        return real.pthread_mutex_lock(mutex);
    return try(mutex) ? 0 : lock_wait(mutex);
}

EXPORT int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    if (!contention_on() || needs_no_wait(mutex))
        return real.pthread_mutex_timedlock(mutex, until);
    if (try(mutex))
        return 0;
    return CONTENTION_WAIT(mutex, LEDGER_LOCK_MUTEX, has_waited(result), pthread_mutex_timedlock,
                           mutex, until);
}

EXPORT int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *until)
{
    /* Of a wrong clock glibc complains also when the mutex is free. */
    if (!contention_on() || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME) ||
        needs_no_wait(mutex))
        return real.pthread_mutex_clocklock(mutex, clock, until);
    if (try(mutex))
        return 0;
    return CONTENTION_WAIT(mutex, LEDGER_LOCK_MUTEX, has_waited(result), pthread_mutex_clocklock,
                           mutex, clock, until);
}

/* Will this unlock leave a recursive mutex locked? Then it lets nobody go. */
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
