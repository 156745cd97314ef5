#include "sample/contention.h"
#include "runtime/config.h"
#include "runtime/real.h"
#include "sample/recorder.h"
#include "sample/scratch.h"

#include <time.h>

#define EVENT UINT64_C(65536) /* block and mutex sites count in fractions of an event (layout.h)   \
                               */

uint32_t contention_mode;

void contention_start(bool active)
{
    if (contention_mode != CONTENTION_UNKNOWN)
        waiters_reset(); /* a forked child: its parent's threads wait here no more */
    bool on = active && (config.block_rate_ns || config.mutex_fraction);
    contention_mode = on ? CONTENTION_ON : CONTENTION_OFF;
}

bool contention_on_slow(void)
{
    if (contention_mode == CONTENTION_UNKNOWN)
        recorder_active();
    /* Still unknown: somebody is at it right now, another thread, or this one, if a
     * handler that interrupted the start takes locks. Neither may be waited for;
     * resolving twice gives the same pointers. */
    if (contention_mode == CONTENTION_UNKNOWN && !real.pthread_mutex_trylock)
        real_resolve();
    return contention_mode == CONTENTION_ON;
}

/* libc's clock_gettime reads the vDSO: AS-safe (signal-safety(7)), 20 ns where
 * the system call takes 100. */
static uint64_t now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Adds an event, or what it stands for, to the caller's stack. count: in 1/EVENT.
 * Inside recorder_enter. */
static __attribute__((noinline)) void record(enum ledger_kind profile, enum ledger_lock kind,
                                             uintptr_t function, uint64_t count, uint64_t ns)
{
    if (!recorder_ledger())
        return;
    struct scratch scratch;
    scratch_open(&scratch, (unsigned)config.depth);
    /* With room for one frame only, the caller is the one to keep. */
    unsigned leaf = scratch.max > 1;
    scratch.frames[0] = function | (uint64_t)module_find(function) << UNWIND_ADDRESS_BITS;
    enum unwind_end end;
    unsigned depth =
        unwind_here(&thread_self.stack, scratch.frames + leaf, scratch.max - leaf, &end);
    if (depth == 0) {
        ledger_count(LEDGER_STAT_LOST_STACK, 1);
        end = UNWIND_BROKEN;
    }
    depth += leaf;
    uint32_t site = depth ? ledger_site(profile, kind, scratch.frames, depth, end) : 0;
    scratch_close(&scratch);
    struct ledger_counter *counter = site ? ledger_counter(thread_self.plane, site) : NULL;
    if (!counter)
        return;
    thread_add(&counter->count, count);
    thread_add(&counter->value, ns);
}

/* Is this waiter one of those that say so? */
static bool draw_waiter(void)
{
    uint64_t fraction = config.mutex_fraction;
    return fraction == 1 || (fraction && thread_uniform() * (double)fraction <= 1);
}

void contention_wait_begin(struct contention_wait *wait, const void *lock)
{
    wait->start_ns = 0;
    if (!recorder_enter())
        return;
    bool drawn = lock && draw_waiter();
    if (drawn || config.block_rate_ns) {
        wait->start_ns = now();
        wait->lock = lock;
        wait->epoch = recorder_epoch();
        wait->slot = drawn ? waiters_enter(lock, wait->start_ns) : NULL;
        if (drawn && !wait->slot)
            ledger_count(LEDGER_STAT_CONTENTION_SKIPPED, 1);
    }
    recorder_leave();
}

void contention_wait_end(struct contention_wait *wait, enum ledger_lock kind, uintptr_t function,
                         bool waited)
{
    /* A handler that ran meanwhile may have forked: the child knows no waiters. */
    if (wait->start_ns == 0 || wait->epoch != recorder_epoch())
        return;
    uint64_t end = now(), ns = end - wait->start_ns, rate = config.block_rate_ns;
    if (wait->slot)
        waiters_leave(wait->slot, wait->lock, end);
    if (!waited || rate == 0 || !recorder_enter())
        return;
    if (ns >= rate)
        record(LEDGER_KIND_BLOCK, kind, function, EVENT, ns);
    else if (ns > 0 && thread_uniform() * (double)rate <= (double)ns)
        record(LEDGER_KIND_BLOCK, kind, function, EVENT * rate / ns, rate);
    recorder_leave();
}

struct waiters_charge contention_unlock_begin(const void *lock)
{
    struct waiters_charge charge = {0, 0};
    if (!recorder_enter())
        return charge;
    charge = waiters_take(lock, now());
    recorder_leave();
    return charge;
}

void contention_unlock_end(const struct waiters_charge *charge, enum ledger_lock kind,
                           uintptr_t function)
{
    if (charge->delay_ns == 0 || !recorder_enter())
        return;
    uint64_t fraction = config.mutex_fraction;
    record(LEDGER_KIND_MUTEX, kind, function, charge->arrived * fraction * EVENT,
           charge->delay_ns * fraction);
    recorder_leave();
}
