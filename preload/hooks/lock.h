/*
 * What the hooks of all kinds of locks ask in the same way. Hook context.
 */
#ifndef LIBPROF_HOOKS_LOCK_H
#define LIBPROF_HOOKS_LOCK_H

#include "kit/sys.h"
#include "sample/core/gate.h"
#include "sample/locks/contention.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

/*
 * Does a result, an error number, say that the call waited? It got what it waited for, its time
 * was over, a signal came, or a robust mutex's owner died meanwhile. Every other error is
 * reported without a wait.
 */
static inline bool lock_waited(int error)
{
    return error == 0 || error == ETIMEDOUT || error == EINTR || error == EOWNERDEAD ||
           error == ENOTRECOVERABLE;
}

/* The end of a wait whose call returns its error: that error. */
static inline int lock_wait_end(struct contention_wait *wait, int error)
{
    contention_wait_end(wait, lock_waited(error));
    return error;
}

/*
 * Does glibc take this time for a rwlock or a semaphore? A wrong one it refuses also when the
 * lock is free (POSIX lets it choose): such a call is left to it.
 */
static inline bool lock_time_is_valid(clockid_t clock, const struct timespec *until)
{
    /* NULL is "for ever" to glibc, though its header tells the compiler that it can't be. */
    __asm__("" : "+r"(until));
    return until && (clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME) && until->tv_nsec >= 0 &&
           until->tv_nsec < 1000000000;
}

#ifdef __GLIBC__
/* Of __data.__kind (nptl/pthreadP.h). The fields are in glibc's public headers, for the
 * static initializers. */
#define LOCK_TYPE 3
#define LOCK_ROBUST 16
#define LOCK_PROTECT 64
#define LOCK_SHARED 128

/* Is this thread the one that a mutex's word or owner field names? */
static inline bool lock_is_own_tid(uint32_t tid)
{
    if (gate_active() && thread_self.epoch == gate_epoch())
        return tid == thread_self.tid;
    return sys_forbidden() || tid == (uint32_t)sys_gettid(); /* it can't be asked */
}

/* Does an unlock release the mutex? The inner one of a recursive mutex doesn't, nor does one
 * that fails because another thread owns the mutex. */
static inline bool lock_is_released(const pthread_mutex_t *mutex)
{
    int kind = mutex->__data.__kind, type = kind & LOCK_TYPE;
    if (type == PTHREAD_MUTEX_RECURSIVE && mutex->__data.__count > 1)
        return false;
    bool checked =
        type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK || kind & LOCK_ROBUST;
    return !checked || lock_is_own_tid((uint32_t)mutex->__data.__owner);
}

/*
 * The address under which this mutex's waits are charged to unlocks; NULL if it is shared between
 * processes. The other processes' unlocks are not seen, and the next one in this process must
 * not be charged with what they did. (glibc marks every robust mutex as shared.)
 */
static inline const void *lock_charged(const pthread_mutex_t *mutex)
{
    return mutex->__data.__kind & LOCK_SHARED ? NULL : mutex;
}

static inline const void *lock_charged_rw(const pthread_rwlock_t *lock)
{
    return lock->__data.__shared ? NULL : lock;
}
#else
static inline bool lock_is_released(const pthread_mutex_t *mutex)
{
    return true;
}

static inline const void *lock_charged(const pthread_mutex_t *mutex)
{
    return mutex;
}

static inline const void *lock_charged_rw(const pthread_rwlock_t *lock)
{
    return lock;
}
#endif

#endif
