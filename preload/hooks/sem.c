/*
 * Semaphores: block profile only. Nobody is charged for a semaphore's wait: it has
 * no owner, and who posts need not be who made the others wait.
 *
 * All are cancellation points, also when the semaphore is free (sem_wait(3p)),
 * which the attempt before the wait isn't: so it is made one.
 *
 * The timed forms return EINTR after any handler, SA_RESTART or not (signal(7)):
 * after ours alone they are made again, until the same moment.
 */
#include "hooks/export.h"
#include "hooks/lock.h"
#include "hooks/repeat.h"
#include "sample/locks/contention.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

/* Takes a semaphore that is free. errno stays as it was. */
static inline bool try(sem_t *semaphore)
{
    int error = errno;
    real.pthread_testcancel();
    bool taken = real.sem_trywait(semaphore) == 0;
    errno = error;
    return taken;
}

static inline int wait_end(struct contention_wait *wait, int result)
{
    contention_wait_end(wait, lock_waited(result ? errno : 0));
    return result;
}

EXPORT int sem_wait(sem_t *semaphore)
{
    if (!contention_on())
        return REPEAT(real.sem_wait(semaphore), true);
    if (try(semaphore))
        return 0;
    struct contention_wait wait;
    contention_wait_begin(&wait, NULL, LEDGER_LOCK_SEMAPHORE, (uintptr_t)real.sem_wait);
    return wait_end(&wait, real.sem_wait(semaphore));
}

EXPORT int sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    if (!contention_on() || !lock_time_is_valid(CLOCK_REALTIME, until))
        return REPEAT(real.sem_timedwait(semaphore, until), true);
    if (try(semaphore))
        return 0;
    struct contention_wait wait;
    contention_wait_begin(&wait, NULL, LEDGER_LOCK_SEMAPHORE, (uintptr_t)real.sem_timedwait);
    return wait_end(&wait, REPEAT(real.sem_timedwait(semaphore, until), true));
}

EXPORT int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until)
{
    if (!contention_on() || !lock_time_is_valid(clock, until))
        return REPEAT(real.sem_clockwait(semaphore, clock, until), true);
    if (try(semaphore))
        return 0;
    struct contention_wait wait;
    contention_wait_begin(&wait, NULL, LEDGER_LOCK_SEMAPHORE, (uintptr_t)real.sem_clockwait);
    return wait_end(&wait, REPEAT(real.sem_clockwait(semaphore, clock, until), true));
}
