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
#ifndef LIBPROF_SAMPLE_CORE_RECORDER_H
#define LIBPROF_SAMPLE_CORE_RECORDER_H

#include "sample/core/thread.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum recorder_phase {
    RECORDER_NEW = 0, /* as the wiped page says in a forked child */
    RECORDER_STARTING,
    RECORDER_ACTIVE,
    RECORDER_INERT, /* not selected, or setuid: everything passes through */
};

struct recorder_page {
    _Atomic(uint32_t) phase;
    _Atomic(uint32_t) ledger_state; /* 0 = not made, 1 = being made, 2 = there, 3 = refused */
};

/* The wiped page; NULL before the first start. */
extern struct recorder_page *_Atomic recorder_page __attribute__((visibility("hidden")));

/* enum recorder_phase. */
static inline uint32_t recorder_phase(void)
{
    struct recorder_page *page = atomic_load_explicit(&recorder_page, memory_order_relaxed);
    return page ? atomic_load_explicit(&page->phase, memory_order_acquire) : RECORDER_NEW;
}

/* Leaves NEW: resolves the real functions, reads the configuration, decides.
 * True when the process is now ACTIVE. Safe to call from anywhere, any time, also before
 * libprof.so is relocated. */
bool recorder_start(void);

extern _Atomic(uint32_t) recorder_epoch_now __attribute__((visibility("hidden")));

/* Which process this is: 1 in the first, one more in each forked child that
 * started. Tells thread states of an earlier process from this one's. */
static inline uint32_t recorder_epoch(void)
{
    return atomic_load_explicit(&recorder_epoch_now, memory_order_relaxed);
}

/* Counter planes of the ledger, decided at start. */
unsigned recorder_planes(void);

static inline bool recorder_active(void)
{
    uint32_t phase = recorder_phase();
    return __builtin_expect(phase == RECORDER_ACTIVE, 1) ||
           (phase == RECORDER_NEW && recorder_start());
}

/* From now on everything passes through. With no other thread running. */
void recorder_stop(void);
/* The next event starts all anew: configuration, ledger, state of threads. After
 * recorder_stop, with no other thread running. */
void recorder_restart(void);

/* In fork's child: what the kernel's wiping does, where the kernel can't. */
void recorder_after_fork(void);

/* Makes the ledger if it isn't there yet. False: no memory, or somebody is at it. */
bool recorder_ledger_slow(void);

/* What is to be done now and then while events come in. Constructor only. */
void recorder_set_tick(void (*tick)(void));

extern void (*recorder_tick_hook)(void) __attribute__((visibility("hidden")));

/* Called after an event was recorded; not for every one where they are many. */
static inline void recorder_tick(void)
{
    if (__builtin_expect(recorder_tick_hook != NULL, 0))
        recorder_tick_hook();
}

static inline bool recorder_ledger(void)
{
    return __builtin_expect(
               atomic_load_explicit(&recorder_page->ledger_state, memory_order_acquire) == 2, 1) ||
           recorder_ledger_slow();
}

/* Asks the kernel who is running; called only while the thread is marked. */
bool recorder_in_vfork_child_slow(void);

/* Does a vfork child run this, in its parent's memory? */
static inline bool recorder_in_vfork_child(void)
{
    return __builtin_expect(thread_self.vforked, 0) && recorder_in_vfork_child_slow();
}

/*
 * Enters libprof's own work on this thread: false when the event must pass
 * through unrecorded (inactive, no ledger, already inside, a vfork child). True:
 * recorder_leave must follow.
 */
static inline bool recorder_enter(void)
{
    if (!recorder_active())
        return false;
    struct thread_state *self = &thread_self;
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    /* A guard below the present frame was left behind by a longjmp or an
     * exception out of the real function: the hook it belongs to is gone. */
    if (__builtin_expect(self->guard != 0, 0) && frame <= self->guard)
        return false;
    if (recorder_in_vfork_child())
        return false;
    if (__builtin_expect(self->epoch != recorder_epoch(), 0) && !thread_setup())
        return false;
    self->guard = frame;
    return true;
}

static inline void recorder_leave(void)
{
    thread_self.guard = 0;
}

#endif
