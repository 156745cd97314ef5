#include "sample/contention.h"
#include "runtime/config.h"
#include "runtime/real.h"
#include "sample/recorder.h"
#include "sample/scratch.h"

#include <time.h>

#define EVENT                                                                                      \
    UINT64_C(65536) /* block and mutex sites count in fractions of an event (layout.h)             \
                     */

_Atomic(uint32_t) contention_mode;

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

/* libc's clock_gettime reads the vDSO: AS-safe (signal-safety(7)), 22 ns where
 * the system call takes 100; 5 ns for the time of the last tick. */
static uint64_t clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t now_coarse(void)
{
    return clock_ns(CLOCK_MONOTONIC_COARSE);
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

/*
 * Takes the thread's entry out of the table of waiters. There is one for each
 * thread: should a signal handler that leaves by longjmp, or the thread's end, have left
 * one behind, the thread's next wait or charged unlock finds it. Should a handler
 * that waits itself have come upon one that is still good, the rest of that wait is
 * charged to nobody.
 */
static void leave(uint64_t at)
{
    struct waiters_slot *slot = thread_self.waits_in;
    thread_self.waits_in = NULL;
    waiters_leave(slot, thread_self.waits_weight, at);
}

void contention_thread_end(void)
{
    if (thread_self.waits_in && thread_self.epoch == recorder_epoch())
        leave(now());
}

/* From which length on a wait is recorded: with a uniform u in (0, 1], "longer than
 * u * rate" is true with probability wait/rate. */
static uint64_t draw_threshold(void)
{
    uint64_t rate = config.block_rate_ns;
    if (rate <= 1)
        return rate ? 1 : UINT64_MAX;
    uint64_t threshold = (uint64_t)(thread_uniform() * (double)rate);
    return threshold ? threshold : 1;
}

/*
 * A thread that waits more than this often in a tick is in a storm: of the rest of
 * the tick's waits one in STORM_WEIGHT is looked at, and stands for that many. The
 * weight is known before the wait, so the sums stay unbiased. The others are watched by
 * the coarse clock, lest a long one among them be lost, or counted sixteen times.
 */
#define STORM_WAITS 16
#define STORM_WEIGHT 16
#define LONG_NS 50000000u

/* How many waits the next one stands for, if it is drawn. */
static unsigned storm_weight(uint64_t tick)
{
    struct thread_state *self = &thread_self;
    if (config.block_rate_ns == 1 || config.mutex_fraction == 1)
        return 1; /* every one is asked for */
    if (self->wait_tick != (uint32_t)tick) {
        self->wait_tick = (uint32_t)tick;
        self->wait_count = 0;
    }
    return ++self->wait_count <= STORM_WAITS ? 1 : STORM_WEIGHT;
}

/* All draws are made before the wait, for after it the thread has the lock. */
void contention_wait_begin(struct contention_wait *wait, const void *lock)
{
    wait->start_ns = 0;
    if (!recorder_enter())
        return;
    uint64_t tick = now_coarse();
    wait->weight = storm_weight(tick);
    wait->epoch = recorder_epoch();
    wait->entered = false;
    if (wait->weight > 1 && thread_uniform() * STORM_WEIGHT > 1) {
        wait->weight = 0;
        wait->start_ns = tick;
        recorder_leave();
        return;
    }
    bool drawn = lock && draw_waiter();
    if (drawn || config.block_rate_ns) {
        wait->threshold_ns = draw_threshold();
        wait->start_ns = now();
        if (thread_self.waits_in)
            leave(wait->start_ns);
        if (drawn) {
            thread_self.waits_for = (uintptr_t)wait;
            thread_self.waits_weight = wait->weight;
            thread_self.waits_in = waiters_enter(lock, wait->weight, wait->start_ns);
            wait->entered = thread_self.waits_in != NULL;
            if (!wait->entered)
                ledger_count(LEDGER_STAT_CONTENTION_SKIPPED, 1);
        }
    }
    recorder_leave();
}

void contention_wait_end(struct contention_wait *wait, enum ledger_lock kind, uintptr_t function,
                         bool waited)
{
    /* A handler that ran meanwhile may have forked: the child knows no waiters. */
    if (wait->start_ns == 0 || wait->epoch != recorder_epoch())
        return;
    uint64_t end = wait->weight ? now() : now_coarse(), ns = end - wait->start_ns;
    if (wait->entered && thread_self.waits_in && thread_self.waits_for == (uintptr_t)wait)
        leave(end);
    uint64_t weight = wait->weight, rate = config.block_rate_ns;
    if (ns >= LONG_NS && weight != 1) {
        weight = 1;
        wait->threshold_ns = rate ? 0 : UINT64_MAX;
    }
    if (!waited || weight == 0 || ns * weight < wait->threshold_ns || !recorder_enter())
        return;
    if (ns * weight >= rate)
        record(LEDGER_KIND_BLOCK, kind, function, EVENT * weight, ns * weight);
    else
        record(LEDGER_KIND_BLOCK, kind, function, EVENT * rate / ns, rate);
    recorder_leave();
}

struct waiters_charge contention_unlock_begin(const void *lock)
{
    struct waiters_charge charge = {0, 0};
    if (!recorder_enter())
        return charge;
    uint64_t at = now();
    if (thread_self.waits_in)
        leave(at);
    charge = waiters_take(lock, at);
    recorder_leave();
    return charge;
}

void contention_unlock_end(const struct waiters_charge *charge, enum ledger_lock kind,
                           uintptr_t function)
{
    if (charge->delay_ns == 0 || !recorder_enter())
        return;
    uint64_t fraction = config.mutex_fraction, rate = config.block_rate_ns;
    uint64_t count = charge->arrived * fraction * EVENT, ns = charge->delay_ns * fraction;
    if (ns >= rate)
        record(LEDGER_KIND_MUTEX, kind, function, count, ns);
    else if (thread_uniform() * (double)rate <= (double)ns)
        record(LEDGER_KIND_MUTEX, kind, function,
               (uint64_t)((double)count * (double)rate / (double)ns), rate);
    recorder_leave();
}
