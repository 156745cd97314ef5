/*
 * What libprof keeps for each thread: one small plain struct in initial-exec
 * thread-local storage, no constructor, no destructor (hazard 10).
 * Each profile has its part, so that all of it is one block; what the parts mean, the
 * profiles' own headers say.
 *
 * Owner: the thread itself; its signal handlers run on top of it. Nobody else
 * reads it.
 */
#ifndef LIBPROF_SAMPLE_CORE_THREAD_H
#define LIBPROF_SAMPLE_CORE_THREAD_H

#include "ledger/ledger.h"
#include "unwind/unwind.h"
#include <stdbool.h>
#include <stdint.h>

/* A thread that waits again and again (sample/locks/storm.h, which alone changes it). */
struct storm {
    uint64_t ticks, ns; /* one moment by the counter and by CLOCK_MONOTONIC */
    uint32_t window;    /* the present one, modulo 2^32 */
    uint32_t draws;     /* random bits left, and a 1 above them */
    int32_t skip;       /* calls to pass before the next that is drawn, or STORM_... */
    uint32_t drawn_at;  /* when the last was, by the counter modulo 2^32 */
    uint16_t block;     /* calls in its block */
    uint16_t rest;      /* how many of those come after it */
    uint16_t since;     /* the window in which the storm began, modulo 2^16 */
    uint8_t count;      /* waits looked at in the window */
    bool on;            /* another block will come; false: the last one's call has been drawn */
};

struct thread_state {
    /* Bytes until the next heap sample; the only field the fast path touches.
     * -1 in a new thread, so that its first allocation takes the slow path and
     * sets the thread up. */
    int64_t heap_left;
    uint64_t random;           /* state of the generator, never 0 once set up */
    uintptr_t guard;           /* frame address of the hook at work; 0 = none (gate.h) */
    uint32_t epoch;            /* the process (gate_epoch) this state was set up in; 0 = none */
    uint32_t tid;              /* as the kernel knows it */
    uint32_t index;            /* in the ledger's thread table; 0 = not entered (yet) */
    uint8_t plane;             /* counter plane it adds to */
    bool plane_owned;          /* no other thread adds to that plane: no locked instructions */
    bool ended;                /* past its last cleanup: no plane of its own any more */
    bool vforked;              /* called vfork: whoever runs on may be the child (gate.h) */
    uint32_t creator;          /* stack reference of who created it */
    struct unwind_stack stack; /* its limits; 0,0 = unknown */
    const void *last_block;    /* exact mode: what the last allocation returned */
    int64_t heap_pending;      /* bytes in use not yet told to the ledger */
    uint32_t timer;            /* CPU timer: the kernel's id + 1; 0 = none */
    uint32_t timer_tid;        /* the thread it was made for: a forked child has none of it */
    uint32_t first_ns;         /* its first expiry on the thread's clock; 0 = not known */
    uint32_t cpu_signalled;    /* periods signalled since */
    uint32_t cpu_unrecorded;   /* periods signalled when there was no ledger yet */
    uintptr_t start;           /* its start routine; 0 = not known */
    bool timer_failed;         /* the kernel refused one */
    bool charged;              /* CPU sites refer to its entry in the thread table */
    bool believes_blocked;     /* the program believes that it blocks our signal */
    bool really_blocked;       /* it is blocked indeed: one of the program's waits (dispatch.h) */
    uint16_t waits_weight;     /* what it counts where it waits */
    struct waiters_slot *waits_in; /* where it says that it waits for a lock; NULL = nowhere */
    uintptr_t waits_for;           /* which of its waits that is: the record's address */
    struct storm storm;            /* of waits */
    uintptr_t interrupted;         /* stack pointer of a system call our signal ended (eintr.h) */
};

_Static_assert(sizeof(struct thread_state) <= 192, "small: static TLS is scarce (hazard 42)");

extern _Thread_local struct thread_state thread_self
    __attribute__((visibility("hidden"), tls_model("initial-exec")));

/* Adds to a field of a counter in the thread's own plane. */
#define thread_add(counter_field, n)                                                               \
    do {                                                                                           \
        if (thread_self.plane_owned)                                                               \
            atomic_store_explicit((counter_field),                                                 \
                                  atomic_load_explicit((counter_field), memory_order_relaxed) +    \
                                      (n),                                                         \
                                  memory_order_release);                                           \
        else                                                                                       \
            atomic_fetch_add_explicit((counter_field), (n), memory_order_release);                 \
    } while (0)

#endif
