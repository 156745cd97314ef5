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
    pthread_testcancel();
    bool taken = real.sem_trywait(semaphore) == 0;
    errno = error;
    return taken;
}

/* real.function(arguments...) as a wait, made again after our signal alone. */
#define SEM_WAIT(function, ...)                                                                    \
    __extension__({                                                                                \
        struct contention_wait wait;                                                               \
        contention_wait_begin(&wait, NULL, LEDGER_LOCK_SEMAPHORE, (uintptr_t)real.function);       \
        int result = REPEAT(real.function(__VA_ARGS__), (void)0);                                  \
        contention_wait_end(&wait, LEDGER_LOCK_SEMAPHORE, (uintptr_t)real.function,                \
                            lock_waited(result ? errno : 0));                                      \
        result;                                                                                    \
    })

EXPORT int sem_wait(sem_t *semaphore)
{
    if (!contention_on())
        return REPEAT(real.sem_wait(semaphore), (void)0);
    if (try(semaphore))
        return 0;
    return CONTENTION_WAIT(NULL, LEDGER_LOCK_SEMAPHORE, lock_waited(result ? errno : 0), sem_wait,
                           semaphore);
}

EXPORT int sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    if (!contention_on() || !lock_time_is_valid(CLOCK_REALTIME, until))
        return REPEAT(real.sem_timedwait(semaphore, until), (void)0);
    return try(semaphore) ? 0 : SEM_WAIT(sem_timedwait, semaphore, until);
}

EXPORT int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until)
{
    if (!contention_on() || !lock_time_is_valid(clock, until))
        return REPEAT(real.sem_clockwait(semaphore, clock, until), (void)0);
    return try(semaphore) ? 0 : SEM_WAIT(sem_clockwait, semaphore, clock, until);
}
