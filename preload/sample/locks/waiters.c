#include "sample/locks/waiters.h"
#include "kit/sections.h"

#include <stddef.h>

/*
 * `waiting` is n in the high 12 bits and S, modulo 2^52, below: sums of waits up
 * to 2^52 ns (52 days) come out right whatever wraps on the way.
 */
#define SUM_BITS 52
#define SUM_MASK ((UINT64_C(1) << SUM_BITS) - 1)
#define ONE_WAITER (UINT64_C(1) << SUM_BITS)
#define CLAIMED 0xfffu /* n of a slot that is just being given to a lock */

struct waiters_slot {
    _Atomic(uintptr_t) lock;
    _Atomic(uint64_t) waiting; /* n and S */
    _Atomic(uint64_t) charged; /* ns already charged to unlocks, modulo 2^52 */
    _Atomic(uint64_t) arrived; /* waiters that came since the last charge */
};

/* Eight slots share a bucket of a hash: more than a program has locks of one hash that are fought
 * for at one moment, or waiters for one of them, 15 heavy ones to a slot (the next isn't charged).
 */
#define BUCKET_BITS 7
#define BUCKETS (1 << BUCKET_BITS)
#define BUCKET_SLOTS 8

struct waiters_count waiters_count;
COLD_TABLE _Atomic(uint32_t) waiters_filter[WAITERS_FILTER];
static COLD_TABLE struct waiters_slot slots[BUCKETS][BUCKET_SLOTS];

static struct waiters_slot *bucket_of(const void *lock)
{
    /* Fibonacci hashing (Knuth, vol. 3, 6.4); the top bits are the best mixed. */
    return slots[(uintptr_t)lock * UINT64_C(0x9e3779b97f4a7c15) >> (64 - BUCKET_BITS)];
}

static unsigned waiters_of(uint64_t waiting)
{
    return (unsigned)(waiting >> SUM_BITS);
}

/* n waiters more or less (change) at a time added to or taken from S. */
static uint64_t moved(uint64_t waiting, uint64_t change, uint64_t sum)
{
    return ((waiting + change) & ~SUM_MASK) | ((waiting + sum) & SUM_MASK);
}

/* Joins the others who wait for the lock; false when nobody does, or too many. */
static bool slot_join(struct waiters_slot *slot, uintptr_t lock, unsigned weight, uint64_t now)
{
    uint64_t old = atomic_load_explicit(&slot->waiting, memory_order_acquire);
    for (;;) {
        unsigned count = waiters_of(old);
        if (count == 0 || count + weight >= CLAIMED ||
            atomic_load_explicit(&slot->lock, memory_order_relaxed) != lock)
            return false;
        /* Should the slot be given to another lock meanwhile, its S is another. */
        if (atomic_compare_exchange_weak_explicit(&slot->waiting, &old,
                                                  moved(old, weight * ONE_WAITER, weight * now),
                                                  memory_order_acq_rel, memory_order_acquire))
            break;
    }
    atomic_fetch_add_explicit(&slot->arrived, weight, memory_order_relaxed);
    return true;
}

/* Makes a slot in which nobody waits the lock's, with a waiter of that weight. */
static bool slot_claim(struct waiters_slot *slot, uintptr_t lock, unsigned weight, uint64_t now)
{
    uint64_t old = atomic_load_explicit(&slot->waiting, memory_order_relaxed);
    if (waiters_of(old) != 0 ||
        !atomic_compare_exchange_strong(&slot->waiting, &old, (uint64_t)CLAIMED << SUM_BITS))
        return false;
    atomic_store_explicit(&slot->lock, lock, memory_order_relaxed);
    atomic_store_explicit(&slot->charged, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->arrived, weight, memory_order_relaxed);
    atomic_store_explicit(&slot->waiting, weight * ONE_WAITER | ((weight * now) & SUM_MASK),
                          memory_order_release);
    return true;
}

struct waiters_slot *waiters_enter(const void *lock, unsigned weight, uint64_t now_ns)
{
    struct waiters_slot *bucket = bucket_of(lock), *found = NULL;
    for (unsigned n = 0; n < BUCKET_SLOTS && !found; n++)
        if (slot_join(&bucket[n], (uintptr_t)lock, weight, now_ns))
            found = &bucket[n];
    /* Two that claim at once get a slot each: waiters_take looks at both. */
    for (unsigned n = 0; n < BUCKET_SLOTS && !found; n++)
        if (slot_claim(&bucket[n], (uintptr_t)lock, weight, now_ns))
            found = &bucket[n];
    if (found && atomic_fetch_add_explicit(&waiters_filter[waiters_hash(lock)], 1,
                                           memory_order_relaxed) == 0)
        atomic_fetch_add_explicit(&waiters_count.locks, 1, memory_order_relaxed);
    return found;
}

void waiters_leave(struct waiters_slot *slot, unsigned weight, uint64_t now_ns)
{
    /* The slot is the lock's as long as this waiter is in it. */
    const void *lock = (const void *)atomic_load_explicit(&slot->lock, memory_order_relaxed);
    uint64_t old = atomic_load_explicit(&slot->waiting, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(
        &slot->waiting, &old, moved(old, -(weight * ONE_WAITER), -(weight * now_ns)),
        memory_order_acq_rel, memory_order_relaxed))
        ;
    if (atomic_fetch_sub_explicit(&waiters_filter[waiters_hash(lock)], 1, memory_order_relaxed) ==
        1)
        atomic_fetch_sub_explicit(&waiters_count.locks, 1, memory_order_relaxed);
}

/* The time waited in a slot and not charged yet, up to `now`; charges it. */
static uint64_t slot_take(struct waiters_slot *slot, uint64_t waiting, uint64_t now)
{
    uint64_t total = waiters_of(waiting) * now - waiting;
    uint64_t charged = atomic_load_explicit(&slot->charged, memory_order_relaxed), delay;
    do {
        delay = (total - charged) & SUM_MASK;
        /* Negative: a waiter whose clock was read after ours, or another unlock
         * (of a reader-writer lock) was charged up to a later time than ours. */
        if (delay == 0 || delay > SUM_MASK / 2)
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(&slot->charged, &charged, total & SUM_MASK,
                                                    memory_order_relaxed, memory_order_relaxed));
    return delay;
}

struct waiters_charge waiters_take(const void *lock, uint64_t now_ns)
{
    struct waiters_charge charge = {0};
    struct waiters_slot *bucket = bucket_of(lock);
    for (unsigned n = 0; n < BUCKET_SLOTS; n++) {
        struct waiters_slot *slot = &bucket[n];
        uint64_t waiting = atomic_load_explicit(&slot->waiting, memory_order_acquire);
        unsigned count = waiters_of(waiting);
        if (count == 0 || count == CLAIMED ||
            atomic_load_explicit(&slot->lock, memory_order_relaxed) != (uintptr_t)lock)
            continue;
        uint64_t delay = slot_take(slot, waiting, now_ns);
        if (delay == 0)
            continue;
        charge.delay_ns += delay;
        charge.arrived += atomic_exchange_explicit(&slot->arrived, 0, memory_order_relaxed);
    }
    return charge;
}

void waiters_reset(void)
{
    atomic_store_explicit(&waiters_count.locks, 0, memory_order_relaxed);
    for (unsigned n = 0; n < WAITERS_FILTER; n++)
        if (atomic_load_explicit(&waiters_filter[n], memory_order_relaxed))
            atomic_store_explicit(&waiters_filter[n], 0, memory_order_relaxed);
    for (unsigned n = 0; n < BUCKETS * BUCKET_SLOTS; n++) {
        struct waiters_slot *slot = &slots[n / BUCKET_SLOTS][n % BUCKET_SLOTS];
        if (atomic_load_explicit(&slot->waiting, memory_order_relaxed))
            atomic_store_explicit(&slot->waiting, 0, memory_order_relaxed);
    }
}
