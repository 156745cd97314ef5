/*
 * What the parts of `waits` share: what is waited for, how long it was, and when a thread
 * waits for certain.
 */
#ifndef TARGETS_WAITS_WAITS_H
#define TARGETS_WAITS_WAITS_H

#include <pthread.h>
#include <stdatomic.h>

#define APART __attribute__((noinline, noclone))

extern pthread_mutex_t mutex;
extern pthread_spinlock_t spin;
extern pthread_barrier_t barrier;
extern atomic_long least, most, squares; /* squares: of the waits, us^2 */
extern atomic_int ready, signalled, held, places;
extern long ms, rounds; /* the arguments */

/* CLOCK_MONOTONIC, ns. */
long now(void);
/* Keeps so many waiting for `ms`. What follows lets them go. */
void rest(int waiters);
/* Says that the calling thread is about to wait. */
void announce(void);

/* Runs a wait and adds its length. The compiler is not to make a tail call of it. */
#define WAIT(call)                                                                                 \
    do {                                                                                           \
        announce();                                                                                \
        long start = now();                                                                        \
        call;                                                                                      \
        long took = now() - start;                                                                 \
        most += took;                                                                              \
        squares += took / 1000 * (took / 1000);                                                    \
    } while (0)

/* One wait of a kind by name; 2: there is no such kind. */
int one_kind(const char *name);
/* Every kind of lock, `rounds` times, that nobody else has. */
void use_freely(void);
/* Two threads fight for a mutex, or a spin lock. */
void fight(int for_spin_lock);

#endif
