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

static __attribute__((noinline)) int lock_wait(mtx_t *mutex)
{
    return CONTENTION_WAIT(mutex, LEDGER_LOCK_MUTEX, lock_waited(error_of(result)), mtx_lock,
                           mutex);
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
    return CONTENTION_WAIT(mutex, LEDGER_LOCK_MUTEX, lock_waited(error_of(result)), mtx_timedlock,
                           mutex, until);
}

static __attribute__((noinline)) int unlock_waited_for(mtx_t *mutex)
{
    if (!lock_is_let_go((const pthread_mutex_t *)mutex)) /* glibc's mtx_t is one */
        return real.mtx_unlock(mutex);
    return CONTENTION_UNLOCK(mutex, LEDGER_LOCK_MUTEX, mtx_unlock);
}

EXPORT int mtx_unlock(mtx_t *mutex)
{
    return LIKELY(!waiters_any(mutex)) ? real.mtx_unlock(mutex) : unlock_waited_for(mutex);
}

/* The wait is about to unlock the mutex (cond.c). */
static inline void unlock(const mtx_t *mutex, uintptr_t function)
{
    if (waiters_any(mutex) && lock_is_let_go((const pthread_mutex_t *)mutex)) {
        struct waiters_charge charge = contention_unlock_begin(mutex);
        contention_unlock_end(&charge, LEDGER_LOCK_MUTEX, function);
    }
}

EXPORT int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
    if (!contention_on())
        return real.cnd_wait(cond, mutex);
    unlock(mutex, (uintptr_t)real.cnd_wait);
    return CONTENTION_WAIT(NULL, LEDGER_LOCK_COND, lock_waited(error_of(result)), cnd_wait, cond,
                           mutex);
}

EXPORT int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *until)
{
    if (!contention_on())
        return real.cnd_timedwait(cond, mutex, until);
    unlock(mutex, (uintptr_t)real.cnd_timedwait);
    return CONTENTION_WAIT(NULL, LEDGER_LOCK_COND, lock_waited(error_of(result)), cnd_timedwait,
                           cond, mutex, until);
}

EXPORT int thrd_join(thrd_t thread, int *value)
{
    if (!contention_on())
        return real.thrd_join(thread, value);
    return CONTENTION_WAIT(NULL, LEDGER_LOCK_THREAD, lock_waited(error_of(result)), thrd_join,
                           thread, value);
}
