/*
 * The block and mutex profiles: what a lock's hook does when the lock wasn't free.
 *
 * block: the time a thread waited, charged to its own stack. Time-proportional
 * sampling, Go's rule: a wait of LIBPROF_BLOCK_RATE or more is always recorded;
 * a shorter one with probability wait/rate, and then stands for rate/wait waits
 * of `rate` together. So sums are unbiased, and a storm of short waits costs one
 * walk for each `rate` of time waited.
 *
 * mutex: the time others waited, charged to the stack that unlocks. Each waiter enters the table of
 * waiters (waiters.h) and is charged exactly. Only in a storm of short waits are they drawn: one
 * that stands for w waits counts as w waiters, and where w is below LIBPROF_MUTEX_FRACTION it
 * enters with the chance w/LIBPROF_MUTEX_FRACTION and counts as LIBPROF_MUTEX_FRACTION. Drawing the
 * waiter, not the unlock, keeps the unlock's test false most of the time, and is as unbiased.
 *
 * A wait that is still going on is announced in the thread's entry of the ledger, and counts in
 * a snapshot (wire/waits.h).
 *
 * In both the leaf of the stack is the function that waited or unlocked, as in
 * Go: it isn't on the stack walked, for that begins outside libprof.so.
 *
 * Context: hooks. Nothing is held between begin and end, so a thread may be
 * cancelled in between.
 */
#ifndef LIBPROF_SAMPLE_LOCKS_CONTENTION_H
#define LIBPROF_SAMPLE_LOCKS_CONTENTION_H

#include "sample/locks/storm.h"
#include "sample/locks/waiters.h"
#include "wire/layout.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum contention_mode {
    CONTENTION_UNKNOWN, /* before the first start: the real functions aren't known */
    CONTENTION_OFF,
    CONTENTION_ON,
};

/* Written by contention_start only. */
extern _Atomic(uint32_t) contention_mode __attribute__((visibility("hidden")));

/* Called by profiler_start when it has decided. */
void contention_start(bool active);

/* Starts the profiler if it hasn't been. Are waits looked at at all? When this
 * returns, the real functions are known. */
bool contention_on_slow(void);

static inline bool contention_on(void)
{
    uint32_t mode = atomic_load_explicit(&contention_mode, memory_order_relaxed);
    return __builtin_expect(mode == CONTENTION_ON, 1) ||
           (mode == CONTENTION_UNKNOWN && contention_on_slow());
}

/* Is it known that they aren't? Then the real functions are known, too. */
static inline bool contention_is_off(void)
{
    return atomic_load_explicit(&contention_mode, memory_order_relaxed) == CONTENTION_OFF;
}

struct contention_wait {
    uint64_t ticks;        /* when it began, by the processor's counter */
    uint64_t start_ns;     /* CLOCK_MONOTONIC; 0 = it isn't looked at */
    uintptr_t function;    /* the real one it waits in: the leaf of its stack */
    uint64_t threshold_ns; /* a wait as long as this is recorded; UINT64_MAX: none is */
    enum ledger_lock kind;
    uint32_t epoch;
    uint32_t weight; /* waits that it stands for; 0: it is only watched (storm.h) */
    uint32_t lock;   /* LEDGER_TRACE_LOCK of its address; 0: it has none */
    uint32_t site;   /* where it was announced, of the block profile; 0 = it wasn't */
    bool entered;    /* an unlock is to be charged */
    bool unwatched;  /* those it stands for aren't watched, however long they are */
};

/* The thread ends. What it waited for, it waits for no more, however it left. */
void contention_thread_end(void);

/*
 * The thread is going to wait:
 *
 *     struct contention_wait wait;
 *     contention_wait_begin(&wait, lock, kind, (uintptr_t)real.function);
 *     int error = real.function(lock);
 *     contention_wait_end(&wait, error == 0);
 *
 * lock: the address that an unlock will name, or NULL: nobody is charged. function: the real
 * function that it will wait in.
 */
void contention_wait_begin(struct contention_wait *wait, const void *lock, enum ledger_lock kind,
                           uintptr_t function);

/*
 * The same for a call of a lock that was drawn in a storm, and then waits. weight: as
 * storm_draw_call gave it. held: the lock was seen held before the attempt; calls of which that is
 * true are watched when they aren't drawn (contention_is_long), the others are not.
 */
void contention_call_begin(struct contention_wait *wait, const void *lock, enum ledger_lock kind,
                           uintptr_t function, unsigned weight, bool held);

/* Has a call, since `ticks`, taken so long that a wait among those that aren't drawn, and are
 * only watched, stands for itself? The thread may have the lock: so this is the counter and no
 * more. */
static inline bool contention_is_long(uint64_t ticks)
{
    return ticks_now() - ticks >= STORM_LONG;
}

/* It has. kind, function: as for contention_wait_begin; waited: as for contention_wait_end. */
void contention_watched_long(uint64_t ticks, enum ledger_lock kind, uintptr_t function,
                             bool waited);

/* contention_wait_end for a wait that was drawn. */
void contention_wait_end_slow(struct contention_wait *wait, bool waited);

/*
 * The call has returned. waited: false when it didn't wait after all, but failed. The thread has
 * the lock now: most waits of a storm cost no more than the counter.
 */
static inline void contention_wait_end(struct contention_wait *wait, bool waited)
{
    if (wait->weight)
        contention_wait_end_slow(wait, waited);
    else if (contention_is_long(wait->ticks))
        contention_watched_long(wait->ticks, wait->kind, wait->function, waited);
}

/*
 * Around an unlock of which waiters_any is true: begin before the real unlock,
 * while the waiters still wait; end after it, so that the walk doesn't make the
 * critical section longer. The lock may be gone by then: only its address is used.
 */
struct waiters_charge contention_unlock_begin(const void *lock);
void contention_unlock_end(const struct waiters_charge *charge, enum ledger_lock kind,
                           uintptr_t function);

#endif
