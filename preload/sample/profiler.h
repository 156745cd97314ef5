/*
 * The only file that knows every profile: it starts and stops them, makes the ledger with their
 * settings, and gives each thread its part of all of them. The gate (sample/core/gate.h) calls
 * it, through gate_slow, when an event finds the process, the ledger or the thread not ready.
 */
#ifndef LIBPROF_SAMPLE_PROFILER_H
#define LIBPROF_SAMPLE_PROFILER_H

/* From now on everything passes through. With no other thread running. */
void profiler_stop(void);

/* The next event starts all anew: configuration, ledger, state of threads. After
 * profiler_stop, with no other thread running. */
void profiler_restart(void);

/* Says so when LIBPROF_SOCKET leads to no collector: on stderr if that looks like a mistake, and
 * by the program that was started with it, not by all that it starts. Constructor only. */
void profiler_tell_no_collector(void);

/* In fork's child: what the kernel's wiping does, where the kernel can't. */
void profiler_after_fork(void);

/* Gives back what the calling thread holds; it may allocate on afterwards (TLS destructors
 * do). Between gate_enter and gate_leave. */
void profiler_thread_end(void);

#endif
