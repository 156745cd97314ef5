/*
 * The gate that every event passes before anything is recorded: is this process
 * profiled, is this still the process that the state belongs to, is the thread
 * already at work for libprof?
 *
 * A forked child notices by itself: the phase lives in a page that the kernel
 * wipes in a child (madvise(2), MADV_WIPEONFORK), however it was forked; the
 * child finds the phase NEW and starts afresh, with an empty ledger, at its own
 * first event. A child that only execs never gets that far and pays nothing.
 *
 * vfork's child shares our memory, page and all. The vfork hook marks the
 * thread (thread_self.vforked); until the mark has been looked at, each event
 * asks the kernel who is running, and the child passes everything through.
 *
 * Context: hooks and handlers. Lock-free.
 */
#ifndef LIBPROF_SAMPLE_CORE_GATE_H
#define LIBPROF_SAMPLE_CORE_GATE_H

#include "sample/core/thread.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gate_phase {
    GATE_NEW = 0, /* as the wiped page says in a forked child */
    GATE_STARTING,
    GATE_ACTIVE,
    GATE_INERT, /* not selected, or setuid: everything passes through */
};

struct gate_page {
    _Atomic(uint32_t) phase;
    _Atomic(uint32_t) ledger_state; /* 0 = not made, 1 = being made, 2 = there, 3 = refused */
};

/* The wiped page; NULL before the first start. */
extern struct gate_page *_Atomic gate_page __attribute__((visibility("hidden")));

/* enum gate_phase. */
static inline uint32_t gate_phase(void)
{
    struct gate_page *page = atomic_load_explicit(&gate_page, memory_order_relaxed);
    return page ? atomic_load_explicit(&page->phase, memory_order_acquire) : GATE_NEW;
}

/*
 * What the gate can't do itself, because it takes knowledge of the profiles. Defined by
 * sample/profiler.c, and the only way in which anything below it reaches it. tests/policy
 * follows these pointers where it reads what a handler may reach.
 */
struct gate_slow {
    /* Leaves NEW: resolves the real functions, reads the configuration, decides. True: ACTIVE. */
    bool (*start)(void);
    /* Makes the ledger. True: it is there. Called by one thread at a time. */
    bool (*make_ledger)(void);
    /* Sets the calling thread's state up for this process; false: impossible (hazard 59). */
    bool (*set_up_thread)(void);
};
extern const struct gate_slow gate_slow __attribute__((visibility("hidden")));

/* Leaves NEW, if no other thread is at it. True when the process is now ACTIVE. Safe to call
 * from anywhere, any time, even before libprof.so is relocated. */
bool gate_start(void);

extern _Atomic(uint32_t) gate_epoch_now __attribute__((visibility("hidden")));

/* Which process this is: 1 in the first, one more in each forked child that
 * started. Tells thread states of an earlier process from this one's. */
static inline uint32_t gate_epoch(void)
{
    return atomic_load_explicit(&gate_epoch_now, memory_order_relaxed);
}

/* Is this process profiled? Starts it if that is not decided yet. */
static inline bool gate_active(void)
{
    uint32_t phase = gate_phase();
    return __builtin_expect(phase == GATE_ACTIVE, 1) || (phase == GATE_NEW && gate_start());
}

/*
 * For sample/profiler.c: the page that fork wipes, in place of the static one (the first start);
 * does the kernel wipe it (4.14)?; the phase and the ledger's state from now on.
 */
void gate_map_page(void);
bool gate_page_is_wiped(void);
void gate_reset(uint32_t phase);

/* Makes the ledger if it isn't there yet. False: no memory, or another thread is making it. */
bool gate_ledger_slow(void);

/* What is to be done now and then while events come in. Constructor only. */
void gate_set_tick(void (*tick)(void));

extern void (*gate_tick_hook)(void) __attribute__((visibility("hidden")));

/* Called after an event was recorded; not for every one where they are many. */
static inline void gate_tick(void)
{
    if (__builtin_expect(gate_tick_hook != NULL, 0))
        gate_tick_hook();
}

/* Is there a ledger? Makes it if not. Only while the process is active. */
static inline bool gate_ledger(void)
{
    return __builtin_expect(
               atomic_load_explicit(&gate_page->ledger_state, memory_order_acquire) == 2, 1) ||
           gate_ledger_slow();
}

/* Sets the calling thread's state up for this process. Hook or handler context. */
bool gate_thread_setup(void);

/* Asks the kernel who is running; called only while the thread is marked. */
bool gate_in_vfork_child_slow(void);

/* Does a vfork child run this, in its parent's memory? */
static inline bool gate_in_vfork_child(void)
{
    return __builtin_expect(thread_self.vforked, 0) && gate_in_vfork_child_slow();
}

/*
 * Enters libprof's own work on this thread: false when the event must pass
 * through unrecorded (inactive, no ledger, already inside, a vfork child). True:
 * gate_leave must follow.
 */
static inline bool gate_enter(void)
{
    if (!gate_active())
        return false;
    struct thread_state *self = &thread_self;
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    /* A guard below the present frame was left behind by a longjmp or an
     * exception out of the real function: the hook it belongs to is gone. */
    if (__builtin_expect(self->guard != 0, 0) && frame <= self->guard)
        return false;
    if (gate_in_vfork_child())
        return false;
    if (__builtin_expect(self->epoch != gate_epoch(), 0) && !gate_thread_setup())
        return false;
    self->guard = frame;
    return true;
}

static inline void gate_leave(void)
{
    thread_self.guard = 0;
}

#endif
