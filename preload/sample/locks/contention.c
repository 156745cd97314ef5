#include "sample/locks/contention.h"
#include "ledger/counter.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/real.h"
#include "sample/core/gate.h"
#include "sample/core/random.h"
#include "sample/core/scratch.h"
#include "sample/core/thread_entry.h"
#include "sample/locks/rate.h"
#include "trace/trace.h"

#include <time.h>

_Atomic(uint32_t) contention_mode;

/* Were all waits asked for, storm or not? */
static _Atomic(bool) every_wait;

void contention_start(bool active)
{
    if (contention_mode != CONTENTION_UNKNOWN) {
        waiters_reset(); /* a forked child: its parent's threads wait here no more */
        thread_self.waits_in = NULL;
    }
    bool on = active && (config.block_rate_ns || config.mutex_fraction);
    atomic_store_explicit(&every_wait, config.block_rate_ns == 1 || config.mutex_fraction == 1,
                          memory_order_relaxed);
    contention_mode = on ? CONTENTION_ON : CONTENTION_OFF;
}

bool contention_on_slow(void)
{
    if (contention_mode == CONTENTION_UNKNOWN)
        gate_active();
    /* Still unknown: somebody is at it right now, another thread, or this one, if a
     * handler that interrupted the start takes locks. Neither may be waited for;
     * resolving twice gives the same pointers. */
    if (contention_mode == CONTENTION_UNKNOWN && !real.pthread_mutex_trylock)
        real_resolve(false);
    return contention_mode == CONTENTION_ON;
}

/* libc's clock_gettime reads the vDSO: AS-safe (signal-safety(7)), 22 ns where
 * the system call takes 100. */
static uint64_t now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The site of a wait, or an unlock, on the caller's stack; 0: it can't be had. Inside
 * gate_enter. */
static __attribute__((noinline)) uint32_t site_here(enum ledger_kind profile, enum ledger_lock kind,
                                                    uintptr_t function)
{
    if (!gate_ledger())
        return 0;
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
    return site;
}

/* Adds an event, or what it stands for, to a site. what.count: in 1/LEDGER_EVENT. */
static void record(uint32_t site, struct rate_record what)
{
    struct ledger_counter *counter = site ? ledger_counter(thread_self.plane, site) : NULL;
    if (!counter)
        return;
    thread_add(&counter->count, what.count);
    thread_add(&counter->value, what.ns);
}

/*
 * What a wait that stands for `weight` counts in the table of waiters; 0: it doesn't enter. One
 * that stands for itself always does. Of a storm's, one in config.mutex_fraction is enough: a wait
 * that stands for fewer enters with that chance less, and counts that much more.
 */
#define WEIGHT_MAX 1024u

static unsigned draw_waiter(unsigned weight)
{
    uint64_t fraction = config.mutex_fraction < WEIGHT_MAX ? config.mutex_fraction : WEIGHT_MAX;
    if (fraction == 0 || weight <= 1 || weight >= fraction)
        return fraction ? weight : 0;
    return random_uniform() * (double)fraction <= weight ? (unsigned)fraction : 0;
}

/*
 * A wait begins that stands for itself, so it may be a long one: says so in the ledger, where a
 * snapshot finds it while it goes on (wire/waits.h). Its stack is walked now: the thread would be
 * about to sleep, whereas afterwards it has the lock. A ledger isn't made for it.
 */
static void announce(struct contention_wait *wait)
{
    if (!ledger_exists() || !gate_ledger())
        return;
    wait->site = site_here(LEDGER_KIND_BLOCK, wait->kind, wait->function);
    struct ledger_thread *thread = wait->site ? ledger_thread_get(thread_index()) : NULL;
    if (!thread)
        return;
    atomic_store_explicit(&thread->wait_since_ns, wait->start_ns, memory_order_relaxed);
    atomic_store_explicit(&thread->wait_site, wait->site, memory_order_release);
}

/* It is over. Before it is recorded: no snapshot is to count it twice. */
static void withdraw(void)
{
    struct ledger_thread *thread = ledger_thread_get(thread_self.index);
    if (thread)
        atomic_store_explicit(&thread->wait_site, 0, memory_order_release);
}

/*
 * Takes the thread's entry out of the table of waiters. There is one for each
 * thread: should a signal handler that leaves by longjmp, or the thread's end, have left
 * one behind, the thread's next wait or charged unlock finds it. Should a handler
 * that waits itself have come upon one that is still good, the rest of that wait is
 * charged to nobody.
 */
static void leave_table(uint64_t at)
{
    struct waiters_slot *slot = thread_self.waits_in;
    thread_self.waits_in = NULL;
    waiters_leave(slot, thread_self.waits_weight, at);
}

void contention_thread_end(void)
{
    if (thread_self.epoch != gate_epoch() || !ledger_exists())
        return;
    if (thread_self.waits_in)
        leave_table(now());
    withdraw();
}

/* A wait that is looked at begins. All draws are made now, for after it the thread has the lock. */
static void begin_measured(struct contention_wait *wait, const void *lock, bool announced)
{
    if (!gate_enter())
        return;
    unsigned weight = lock ? draw_waiter(wait->weight) : 0;
    if (weight || config.block_rate_ns) {
        wait->lock = lock ? LEDGER_TRACE_LOCK((uintptr_t)lock) : 0;
        wait->epoch = gate_epoch();
        wait->threshold_ns = rate_threshold(random_uniform(), config.block_rate_ns);
        wait->start_ns = now();
        storm_note(&thread_self.storm, wait->ticks, wait->start_ns);
        if (thread_self.waits_in)
            leave_table(wait->start_ns);
        if (weight) {
            thread_self.waits_for = (uintptr_t)wait;
            thread_self.waits_weight = (uint16_t)weight;
            thread_self.waits_in = waiters_enter(lock, weight, wait->start_ns);
            wait->entered = thread_self.waits_in != NULL;
            if (!wait->entered)
                ledger_count(LEDGER_STAT_CONTENTION_SKIPPED, 1);
        }
        if (announced && config.block_rate_ns && wait->weight == 1)
            announce(wait);
    }
    gate_leave();
}

void contention_wait_begin(struct contention_wait *wait, const void *lock, enum ledger_lock kind,
                           uintptr_t function)
{
    uint64_t ticks = ticks_now();
    bool every = atomic_load_explicit(&every_wait, memory_order_relaxed);
    *wait = (struct contention_wait){
        .ticks = ticks,
        .kind = kind,
        .function = function,
        .weight = every ? 1 : storm_weigh(&thread_self.storm, ticks),
    };
    if (wait->weight)
        begin_measured(wait, lock, true);
}

void contention_call_begin(struct contention_wait *wait, const void *lock, enum ledger_lock kind,
                           uintptr_t function, unsigned weight, bool held)
{
    *wait = (struct contention_wait){
        .ticks = ticks_now(),
        .kind = kind,
        .function = function,
        .weight = weight,
        .unwatched = !held,
    };
    begin_measured(wait, lock, false); /* stands for more than itself: isn't announced */
}

/* A time and a lock, as the trace has them. */
static uint64_t traced_value(uint64_t ns, uint32_t lock)
{
    return LEDGER_TRACE_NS(ns) | (uint64_t)lock << LEDGER_TRACE_LOCK_SHIFT;
}

/* A wait of ns that stands for `weight` waits has ended. site: as announced, or 0. */
static void record_wait(uint32_t site, enum ledger_lock kind, uintptr_t function, unsigned weight,
                        uint64_t ns, uint64_t threshold_ns)
{
    if (ns * weight < threshold_ns || !gate_enter())
        return;
    if (!site)
        site = site_here(LEDGER_KIND_BLOCK, kind, function);
    record(site, rate_scale(LEDGER_EVENT * weight, ns * weight, config.block_rate_ns));
    gate_leave();
}

void contention_watched_long(uint64_t ticks, enum ledger_lock kind, uintptr_t function, bool waited)
{
    uint64_t end = ticks_now();
    storm_watched(&thread_self.storm, end - ticks);
    if (waited && config.block_rate_ns)
        record_wait(0, kind, function, 1, storm_ns(&thread_self.storm, ticks, end, now()),
                    rate_threshold(random_uniform(), config.block_rate_ns));
}

void contention_wait_end_slow(struct contention_wait *wait, bool waited)
{
    uint64_t ticks = ticks_now();
    bool alone = !wait->unwatched && ticks - wait->ticks >= STORM_LONG;
    if (alone)
        storm_watched(&thread_self.storm, ticks - wait->ticks);
    /* A handler that ran meanwhile may have forked: the child knows no waiters. */
    if (wait->start_ns == 0 || wait->epoch != gate_epoch())
        return;
    uint64_t end = now();
    if (wait->entered && thread_self.waits_in && thread_self.waits_for == (uintptr_t)wait)
        leave_table(end);
    if (wait->site)
        withdraw();
    if (waited && wait->site && trace_armed()) /* every wait that was looked at, long or short */
        trace_write(LEDGER_TRACE_WAIT, thread_index(), wait->site,
                    traced_value(end - wait->start_ns, wait->lock), ticks);
    if (waited) /* a long one stands for itself: all of them are recorded */
        record_wait(wait->site, wait->kind, wait->function, alone ? 1 : wait->weight,
                    end - wait->start_ns, wait->threshold_ns);
}

struct waiters_charge contention_unlock_begin(const void *lock)
{
    struct waiters_charge charge = {0};
    if (!gate_enter())
        return charge;
    uint64_t at = now();
    if (thread_self.waits_in)
        leave_table(at);
    charge = waiters_take(lock, at);
    charge.ticks = ticks_now();
    charge.lock = LEDGER_TRACE_LOCK((uintptr_t)lock);
    gate_leave();
    return charge;
}

void contention_unlock_end(const struct waiters_charge *charge, enum ledger_lock kind,
                           uintptr_t function)
{
    if (charge->delay_ns == 0 || !gate_enter())
        return;
    uint64_t ns = charge->delay_ns, rate = config.block_rate_ns;
    /* A rate of 0 is block's own; here it is as good as 1. */
    bool recorded = rate == 0 || ns >= rate_threshold(random_uniform(), rate);
    bool traced = trace_armed();
    uint32_t site = recorded || traced ? site_here(LEDGER_KIND_MUTEX, kind, function) : 0;
    if (recorded)
        record(site, rate_scale(charge->arrived * LEDGER_EVENT, ns, rate));
    if (site && traced)
        trace_write(LEDGER_TRACE_WAKE, thread_index(), site, traced_value(ns, charge->lock),
                    charge->ticks);
    gate_leave();
}
