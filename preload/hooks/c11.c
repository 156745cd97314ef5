/*
 * C11's mutexes, conditions and threads (C11 7.26): libc calls its own functions
 * behind them directly, so they need hooks of their own. As mutex.c, cond.c and
 * join.c.
 */
#include "hooks/export.h"
#include "hooks/lock.h"
#include "runtime/real.h"
#include "sample/locks/contention.h"

#include <threads.h>

static inline int error_of(int result)
{
    return result == thrd_success ? 0 : result == thrd_timedout ? ETIMEDOUT : EINVAL;
}

static inline int wait_end(struct contention_wait *wait, int result)
{
    contention_wait_end(wait, lock_waited(error_of(result)));
    return result;
}

static __attribute__((noinline)) int lock_wait(mtx_t *mutex)
{
    struct contention_wait wait;
    contention_wait_begin(&wait, mutex, LEDGER_LOCK_MUTEX, (uintptr_t)real.mtx_lock);
    return wait_end(&wait, real.mtx_lock(mutex));
}

EXPORT int mtx_lock(mtx_t *mutex)
{
    if (!contention_on())
        return real.mtx_lock(mutex);
    return LIKELY(real.mtx_trylock(mutex) == thrd_success) ? thrd_success : lock_wait(mutex);
}

EXPORT int mtx_timedlock(mtx_t *mutex, const struct timespec *until)
{
    if (!contention_on())
        return real.mtx_timedlock(mutex, until);
    if (real.mtx_trylock(mutex) == thrd_success)
        return thrd_success;
    struct contention_wait wait;
    contention_wait_begin(&wait, mutex, LEDGER_LOCK_MUTEX, (uintptr_t)real.mtx_timedlock);
    return wait_end(&wait, real.mtx_timedlock(mutex, until));
}

static __attribute__((noinline)) int unlock_waited_for(mtx_t *mutex)
{
    if (!lock_is_released((const pthread_mutex_t *)mutex)) /* glibc's mtx_t is one */
        return real.mtx_unlock(mutex);
    struct waiters_charge charge = contention_unlock_begin(mutex);
    int result = real.mtx_unlock(mutex);
    contention_unlock_end(&charge, LEDGER_LOCK_MUTEX, (uintptr_t)real.mtx_unlock);
    return result;
}

EXPORT int mtx_unlock(mtx_t *mutex)
{
    return LIKELY(!waiters_any(mutex)) ? real.mtx_unlock(mutex) : unlock_waited_for(mutex);
}

/* The wait is about to unlock the mutex (cond.c). */
static inline void unlock(const mtx_t *mutex, uintptr_t function)
{
    if (waiters_any(mutex) && lock_is_released((const pthread_mutex_t *)mutex)) {
        struct waiters_charge charge = contention_unlock_begin(mutex);
        contention_unlock_end(&charge, LEDGER_LOCK_MUTEX, function);
    }
}

EXPORT int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
    if (!contention_on())
        return real.cnd_wait(cond, mutex);
    unlock(mutex, (uintptr_t)real.cnd_wait);
    struct contention_wait wait;
    contention_wait_begin(&wait, NULL, LEDGER_LOCK_COND, (uintptr_t)real.cnd_wait);
    return wait_end(&wait, real.cnd_wait(cond, mutex));
}

EXPORT int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *until)
{
    if (!contention_on())
        return real.cnd_timedwait(cond, mutex, until);
    unlock(mutex, (uintptr_t)real.cnd_timedwait);
    struct contention_wait wait;
    contention_wait_begin(&wait, NULL, LEDGER_LOCK_COND, (uintptr_t)real.cnd_timedwait);
    return wait_end(&wait, real.cnd_timedwait(cond, mutex, until));
}

EXPORT int thrd_join(thrd_t thread, int *value)
{
    if (!contention_on())
        return real.thrd_join(thread, value);
    struct contention_wait wait;
    contention_wait_begin(&wait, NULL, LEDGER_LOCK_THREAD, (uintptr_t)real.thrd_join);
    return wait_end(&wait, real.thrd_join(thread, value));
}
