/*
 * Who waits for which lock: the way from a waiter to the one that unlocks.
 *
 * A waiter enters the lock's address when it starts to wait and leaves when it
 * has the lock. Whoever unlocks reads one word, and while anybody waits for any lock a second
 * (waiters_any); only if that isn't zero does it ask how long its critical section has kept others
 * waiting (waiters_take).
 *
 * A slot holds, for one lock, n = the number of waiters and S = the sum of the
 * times they came minus the sum of the times they left. The time waited up to t
 * by all of them is then n*t - S, whoever came and went; what an unlock at t is
 * charged with is that less what was charged before. So the charges of all
 * unlocks add up to the time waited up to the last one, however many waiters
 * and unlockers there are, and an unlock costs the same for one or a hundred.
 * (Go charges each critical section in the same manner: golang.org/issue/61015.)
 *
 * Context: hooks. Lock-free: every word is atomic; a slot without waiters may be
 * claimed for another lock at any time.
 */
#ifndef LIBPROF_SAMPLE_LOCKS_WAITERS_H
#define LIBPROF_SAMPLE_LOCKS_WAITERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * How many waiters there are for each hash of a lock's address. Locks that are a multiple of 32 KiB
 * apart share a word: unlocking the one is slower, and no more, while somebody waits for the other.
 */
#define WAITERS_FILTER 1024
extern _Atomic(uint32_t) waiters_filter[WAITERS_FILTER] __attribute__((visibility("hidden")));

/* How many of those words aren't 0: what every unlock in the program reads, with the lock held. On
 * a line of its own, and written to only when the first waiter for a lock comes or the last leaves.
 */
struct waiters_count {
    _Alignas(64) _Atomic(uint32_t) locks;
};
extern struct waiters_count waiters_count __attribute__((visibility("hidden")));

static inline unsigned waiters_hash(const void *lock)
{
    return (uintptr_t)lock >> 5 & (WAITERS_FILTER - 1);
}

/* May somebody be waiting for this lock? False is certain but for waiters that are just
 * coming, whose wait then starts with the next critical section. */
static inline bool waiters_any(const void *lock)
{
    return atomic_load_explicit(&waiters_count.locks, memory_order_relaxed) != 0 &&
           atomic_load_explicit(&waiters_filter[waiters_hash(lock)], memory_order_relaxed) != 0;
}

struct waiters_slot;

/* Enters a waiter that counts as `weight`, 1 to 1024. now_ns: CLOCK_MONOTONIC. NULL: no
 * room, nobody will be charged. */
struct waiters_slot *waiters_enter(const void *lock, unsigned weight, uint64_t now_ns);

/* Takes a waiter out again. slot: as waiters_enter gave it, not NULL; weight: the same. */
void waiters_leave(struct waiters_slot *slot, unsigned weight, uint64_t now_ns);

/* What an unlock at now_ns is to be charged with. */
struct waiters_charge {
    uint64_t ticks;    /* kit/ticks.h, before the unlock */
    uint32_t lock;     /* LEDGER_TRACE_LOCK of its address */
    uint64_t delay_ns; /* the time others waited since the last charge; 0 = nobody did */
    uint64_t arrived;  /* how many of them came since then */
};
struct waiters_charge waiters_take(const void *lock, uint64_t now_ns);

/* Forgets everybody: a new process (a forked child) starts. Nothing else runs. */
void waiters_reset(void);

#endif
