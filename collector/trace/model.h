/* A trace in memory: what happened in a process and when. Read by trace.h; encoders only look. */
#ifndef COLLECTOR_TRACE_MODEL_H
#define COLLECTOR_TRACE_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"
#include "wire/layout.h"

#define TRACE_NONE UINT32_MAX

struct trace_event {
    int64_t begin_ns, end_ns; /* CLOCK_MONOTONIC; equal but for waits */
    enum ledger_trace_kind kind;
    uint32_t thread;   /* index in threads */
    uint32_t stack;    /* index of the profile's sample; TRACE_NONE: no stack */
    uint32_t lock;     /* of waits and wakes, 16 bits of a hash; 0: unknown */
    uint32_t woken_by; /* of a wait: the event that ended it; TRACE_NONE: unknown */
    uint64_t value;    /* CPU: ns; waits, wakes: ns; allocations: bytes */
};

struct trace_thread {
    uint32_t tid;
    char name[LEDGER_THREAD_NAME + 1];
};

struct trace {
    struct trace_event *events; /* by their ends */
    size_t n_events, cap_events;
    struct trace_thread *threads;
    size_t n_threads, cap_threads;
    struct profile *stacks; /* one sample for each stack; the label "lock" of waits */
    uint32_t pid;
    char program[128];
    uint64_t lost; /* events that were overwritten, or never finished, in the window */
    int64_t from_ns, to_ns;
};

#endif
