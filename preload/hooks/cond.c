/*
 * Condition variables. A wait counts from the call to its return: until it was
 * signalled and had its mutex again. (Go's Cond.Wait records the two parts one
 * by one, on nearly the same stack; the sum is the same. Here libc takes the
 * mutex back inside the call.)
 *
 * A wait unlocks the mutex: who waits for that is charged to it, as in Go, whose
 * Wait calls Unlock. It must be recorded before the wait, for the wait may never
 * end. What libc does to the mutex inside the call can't be seen: a thread that
 * waits only for getting it back charges nobody.
 *
 * All are cancellation points: nothing is held while the real call runs.
 */
#include "hooks/export.h"
#include "hooks/lock.h"
#include "runtime/real.h"
#include "sample/locks/contention.h"

#include <pthread.h>

/* The wait begins, and unlocks the mutex. */
static inline void begin(struct contention_wait *wait, const pthread_mutex_t *mutex,
                         uintptr_t function)
{
    if (waiters_any(mutex) && lock_is_released(mutex)) {
        struct waiters_charge charge = contention_unlock_begin(mutex);
        contention_unlock_end(&charge, LEDGER_LOCK_MUTEX, function);
    }
    contention_wait_begin(wait, NULL, LEDGER_LOCK_COND, function);
}

EXPORT int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (!contention_on())
        return real.pthread_cond_wait(cond, mutex);
    struct contention_wait wait;
    begin(&wait, mutex, (uintptr_t)real.pthread_cond_wait);
    return lock_wait_end(&wait, real.pthread_cond_wait(cond, mutex));
}

EXPORT int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    if (!contention_on())
        return real.pthread_cond_timedwait(cond, mutex, until);
    struct contention_wait wait;
    begin(&wait, mutex, (uintptr_t)real.pthread_cond_timedwait);
    return lock_wait_end(&wait, real.pthread_cond_timedwait(cond, mutex, until));
}

EXPORT int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until)
{
    if (!contention_on())
        return real.pthread_cond_clockwait(cond, mutex, clock, until);
    struct contention_wait wait;
    begin(&wait, mutex, (uintptr_t)real.pthread_cond_clockwait);
    return lock_wait_end(&wait, real.pthread_cond_clockwait(cond, mutex, clock, until));
}
