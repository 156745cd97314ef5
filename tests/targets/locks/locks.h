/*
 * What the parts of lock_semantics share: printing what a call answers, and whether it came
 * back before it could.
 */
#ifndef TARGETS_LOCKS_LOCKS_H
#define TARGETS_LOCKS_LOCKS_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define MS 1000000L
#define BAD_CLOCK ((clockid_t)77)

extern const char *context; /* of what is printed */

struct timespec from_now(clockid_t clock, long ns);
const char *name_of(int error);
int is_over(clockid_t clock, const struct timespec *time);
void show(const char *call, int result, int error, int early);

/* Prints a call, its result and errno. */
#define SHOW(call) SHOW_EARLY(call, 0)

/* The same, and whether it came back before it could: early, evaluated after it. How late
 * it came says nothing on a busy machine. */
#define SHOW_EARLY(call, early)                                                                    \
    do {                                                                                           \
        errno = EXDEV;                                                                             \
        int result_ = (call), error_ = errno;                                                      \
        show(#call, result_, error_, early);                                                       \
    } while (0)

/* A call that fails only when the time is over. */
#define SHOW_UNTIL(call, clock, time) SHOW_EARLY(call, result_ != 0 && !is_over(clock, &(time)))

/* A call that nothing ends but what another thread does, which says so just before. */
#define SHOW_AFTER(call, happened) SHOW_EARLY(call, !atomic_load(&(happened)))

extern atomic_int holding;  /* somebody has locked what it is to hold */
extern atomic_int released; /* by who holds what is waited for */

extern const struct timespec invalid, negative, past, before_1970;

/* One for each kind of lock or wait. */
void mutexes(void);
void rwlocks(void);
void semaphores(void);
void conditions(void);
void cancellation(void);
void threads(void);
void barriers(void);
void c11(void);
void forks(void);
void processes(void);

#endif
