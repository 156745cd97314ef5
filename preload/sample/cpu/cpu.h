/*
 * The CPU profile: a timer for each thread on its own CPU clock, whose signal
 * goes to that very thread (timer_create(2), SIGEV_THREAD_ID). A sample counts
 * 1 + si_overrun periods: kernels look at these timers on their tick
 * (CONFIG_HZ) only, and what expired in between is in the overrun.
 *
 * The first expiry is random within a period, so that threads of any length
 * are seen in proportion to their time. What a tick would have found after a
 * thread's end is settled at the end (cpu_thread_end).
 *
 * Sites are LEDGER_KIND_CPU, keyed by thread: no two threads share a counter.
 */
#ifndef LIBPROF_SAMPLE_CPU_CPU_H
#define LIBPROF_SAMPLE_CPU_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

/* Called by profiler_start. */
void cpu_start(bool active);

/*
 * Arms the calling thread's timer, if it has none in this process. newborn: the
 * thread's CPU clock started just now and counts from 0. Raw system calls only;
 * hook and handler context. A failure is counted, warned of once, and tried
 * again by cpu_thread_retry.
 */
void cpu_thread_start(bool newborn);

/* Tries again where the timer was refused (at each dump). Handler context. */
void cpu_thread_retry(void);

/* Takes the timer down and charges what was still open to `start`, the
 * thread's start routine. start 0: nothing is charged. */
void cpu_thread_end(uintptr_t start);

/* Stops the calling thread's timer, and starts it again. Handler and hook context, errno kept. */
void cpu_pause(void);
void cpu_resume(void);

/* Records a sample of `weight` periods. Handler context. */
void cpu_sample(unsigned weight, const ucontext_t *context);

/*
 * Around fork: the signal is kept from starting the copy again and again (the
 * kernel restarts clone when one is pending; copying a large process takes
 * longer than a period). The child gets a timer of its own and nothing more.
 * Hook context. mask: to be handed from the first to the others.
 */
void cpu_before_fork(uint64_t *mask);
void cpu_after_fork(const uint64_t *mask, bool child);

/* In an injected library, before anything is recorded: every timer is noted from here on, so that
 * cpu_stop can delete it. False: no memory. */
bool cpu_note_timers(void);

/*
 * In an injected library: a timer for each thread that exists already. It becomes the
 * thread's own at its first sample or hook. Returns how many. Constructor only, all other
 * threads stopped.
 */
size_t cpu_adopt_threads(void);

/* Deletes every timer. With no other thread running; injected libraries only. */
void cpu_stop(void);

#endif
