/*
 * Mutexes and spin locks. An uncontended lock costs one extra test: we read a mutex's lock word,
 * and try a spin lock. Only when it isn't free does the real, waiting call run, between two
 * readings of the clock.
 *
 * A mutex that another thread seems to hold is tried once before that.
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
#include "hooks/lock.h"
#include "runtime/real.h"
#include "sample/core/gate.h"
#include "sample/locks/contention.h"

#include <linux/futex.h>
#include <pthread.h>

#ifdef __GLIBC__
#define PROTECT_LOCKED 0x7ffff /* the part of __data.__lock that is not the ceiling */

static inline bool may_be_tried(const pthread_mutex_t *mutex)
{
    return (mutex->__data.__kind & (LOCK_ROBUST | LOCK_PROTECT)) == 0;
}

/* Is it held, by whomever? Of a robust one that needn't be true (is_held). */
static inline bool is_word_set(const pthread_mutex_t *mutex)
{
    return __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) != 0;
}

/* Is it the calling thread's already, a recursive one? False isn't certain. */
static inline bool is_own_recursive(const pthread_mutex_t *mutex)
{
    return (mutex->__data.__kind & LOCK_TYPE) == PTHREAD_MUTEX_RECURSIVE &&
           (uint32_t)mutex->__data.__owner == thread_self.tid;
}

/* Does another thread, alive, hold a mutex that may not be tried? A robust one's
 * word is the kernel's as well: the owner's tid, and flags (futex(2)). */
static bool is_held(const pthread_mutex_t *mutex)
{
    uint32_t word = (uint32_t)__atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED);
    if (mutex->__data.__kind & LOCK_PROTECT)
        return (word & PROTECT_LOCKED) != 0;
    uint32_t owner = word & FUTEX_TID_MASK;
    return owner && !(word & FUTEX_OWNER_DIED) && !lock_is_own_tid(owner);
}
#else
static inline bool may_be_tried(const pthread_mutex_t *mutex)
{
    return true;
}

static bool is_word_set(const pthread_mutex_t *mutex)
{
    return true;
}

static bool is_own_recursive(const pthread_mutex_t *mutex)
{
    return false;
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
    struct contention_wait wait;
    contention_wait_begin(&wait, lock_charged(mutex), LEDGER_LOCK_MUTEX,
                          (uintptr_t)real.pthread_mutex_lock);
    return lock_wait_end(&wait, real.pthread_mutex_lock(mutex));
}

static __attribute__((noinline)) int watched_long(uint64_t ticks, int result)
{
    contention_watched_long(ticks, LEDGER_LOCK_MUTEX, (uintptr_t)real.pthread_mutex_lock,
                            lock_waited(result));
    return result;
}

/* In a storm, a call that isn't drawn. */
static __attribute__((noinline)) int lock_watched(pthread_mutex_t *mutex)
{
    uint64_t ticks = ticks_now();
    int result = real.pthread_mutex_lock(mutex);
    return LIKELY(!contention_is_long(ticks)) ? result : watched_long(ticks, result);
}

/* One that is drawn, stands for `weight`, and waits. held: it was to be seen beforehand. */
static __attribute__((noinline)) int lock_drawn(pthread_mutex_t *mutex, unsigned weight, bool held)
{
    struct contention_wait wait;
    contention_call_begin(&wait, lock_charged(mutex), LEDGER_LOCK_MUTEX,
                          (uintptr_t)real.pthread_mutex_lock, weight, held);
    return lock_wait_end(&wait, real.pthread_mutex_lock(mutex));
}

/* Whatever isn't a calm thread's common mutex. */
static __attribute__((noinline)) int lock_carefully(pthread_mutex_t *mutex)
{
    if (!contention_on())
        return real.pthread_mutex_lock(mutex);
    bool held = is_word_set(mutex);
    unsigned weight =
        thread_self.storm.skip == STORM_ASK ? storm_draw_call(&thread_self.storm, ticks_now()) : 0;
    if (needs_no_wait(mutex))
        return real.pthread_mutex_lock(mutex);
    if (try(mutex))
        return 0;
    return weight ? lock_drawn(mutex, weight, held) : lock_wait(mutex);
}

/* The process's first hook, or one before libprof.so is relocated: there is one thread, which
 * has any mutex (runtime/relocated.h). */
static __attribute__((noinline, cold)) int lock_early(pthread_mutex_t *mutex)
{
    gate_active();
    return real.pthread_mutex_lock ? real.pthread_mutex_lock(mutex) : 0;
}

/*
 * A mutex that nobody else holds is not tried but locked: where glibc knows that there is one
 * thread only it does that without locked instructions, and else still by a shorter way than
 * trylock's. A wait for who takes it between our look and the real call isn't seen: a moment as
 * long as the lock's line takes from one processor to the other.
 *
 * What disturbs a storm most is the attempt: it fails, a moment later the real call is
 * lucky, and so the lock goes to and fro where one thread would have slept. So there calls that
 * aren't drawn make none either.
 */
EXPORT int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!LIKELY(real.pthread_mutex_lock != NULL))
        return lock_early(mutex);
    int skip = thread_self.storm.skip;
    if (LIKELY(skip == STORM_CALM))
        return is_word_set(mutex) && !is_own_recursive(mutex) ? lock_carefully(mutex)
                                                              : real.pthread_mutex_lock(mutex);
    if (skip == STORM_ASK)
        return contention_is_off() ? real.pthread_mutex_lock(mutex) : lock_carefully(mutex);
    thread_self.storm.skip = skip - 1;
    return is_word_set(mutex) ? lock_watched(mutex) : real.pthread_mutex_lock(mutex);
}

EXPORT int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    if (!contention_on() || needs_no_wait(mutex))
        return real.pthread_mutex_timedlock(mutex, until);
    if (try(mutex))
        return 0;
    struct contention_wait wait;
    contention_wait_begin(&wait, lock_charged(mutex), LEDGER_LOCK_MUTEX,
                          (uintptr_t)real.pthread_mutex_timedlock);
    return lock_wait_end(&wait, real.pthread_mutex_timedlock(mutex, until));
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
    struct contention_wait wait;
    contention_wait_begin(&wait, lock_charged(mutex), LEDGER_LOCK_MUTEX,
                          (uintptr_t)real.pthread_mutex_clocklock);
    return lock_wait_end(&wait, real.pthread_mutex_clocklock(mutex, clock, until));
}

static __attribute__((noinline)) int unlock_waited_for(pthread_mutex_t *mutex)
{
    if (!lock_is_released(mutex))
        return real.pthread_mutex_unlock(mutex);
    struct waiters_charge charge = contention_unlock_begin(mutex);
    int result = real.pthread_mutex_unlock(mutex);
    contention_unlock_end(&charge, LEDGER_LOCK_MUTEX, (uintptr_t)real.pthread_mutex_unlock);
    return result;
}

static __attribute__((noinline, cold)) int unlock_early(pthread_mutex_t *mutex)
{
    gate_active();
    return real.pthread_mutex_unlock ? real.pthread_mutex_unlock(mutex) : 0;
}

EXPORT int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (!LIKELY(real.pthread_mutex_unlock != NULL))
        return unlock_early(mutex);
    return LIKELY(!waiters_any(mutex)) ? real.pthread_mutex_unlock(mutex)
                                       : unlock_waited_for(mutex);
}

static __attribute__((noinline)) int spin_wait(pthread_spinlock_t *lock)
{
    struct contention_wait wait;
    const void *address = (const void *)lock; /* a spin lock's type is volatile */
    contention_wait_begin(&wait, address, LEDGER_LOCK_SPIN, (uintptr_t)real.pthread_spin_lock);
    return lock_wait_end(&wait, real.pthread_spin_lock(lock));
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
