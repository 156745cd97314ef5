/*
 * The signals that are libprof's, and what the program believes about them.
 *
 * The program's own view of an owned signal is kept here: sigaction and its
 * relatives (hooks/signal.c) read and write the view, and what is installed in
 * the kernel follows from it:
 *
 *   SIGNALS_CHAINED  our handler always (never SIG_DFL again: a signal that is
 *                    still pending would kill, hazard 3). What it doesn't claim
 *                    goes on to the program's handler, if the program has one,
 *                    with the mask and flags that the program asked for.
 *   SIGNALS_FATAL    our handler while the program's view is SIG_DFL; otherwise
 *                    exactly what the program asked for.
 *   SIGNALS_LENT     our handler until the program sets anything but SIG_DFL. From then on
 *                    the signal is the program's and is no longer owned (signals_give_back).
 *
 * Context: AS-safe, errno untouched unless said otherwise. The views are written
 * under a spin lock with every signal blocked and read through a sequence
 * counter, so that a handler never waits for what it interrupted.
 */
#ifndef LIBPROF_RUNTIME_SIGNALS_H
#define LIBPROF_RUNTIME_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum signals_mode { SIGNALS_CHAINED, SIGNALS_FATAL, SIGNALS_LENT };

/* True: the signal was ours alone; false: it goes on to the program's handler. */
typedef bool (*signals_handler)(int signo, siginfo_t *info, void *context);

/*
 * Takes a signal over; the program's view starts as what is installed now.
 * flags: SA_ flags of our handler beyond SA_SIGINFO, in force while the program
 * has none of its own. FATAL and LENT take only what is SIG_DFL. False when it
 * isn't taken. Constructor only.
 */
bool signals_own(int signo, signals_handler handler, int flags, enum signals_mode mode);

/* Has signals_own taken this signal? AS-safe. */
bool signals_owned(int signo);

/*
 * The program is about to set `action` for an owned signal. True: the signal was lent, and it is
 * the program's from here on; *view is what the program believes installed, and the caller
 * makes the system call.
 */
bool signals_give_back(int signo, const struct sigaction *action, struct sigaction *view);

/*
 * sigaction(2) on the view of an owned signal; either may be NULL. Returns 0, or
 * -1 with errno set by the kernel's answer. In a vfork child use
 * signals_apply_only: the views are the parent's.
 */
int signals_action(int signo, const struct sigaction *action, struct sigaction *old);
int signals_apply_only(int signo, const struct sigaction *action, struct sigaction *old);

/* The kernel's sigaction(2), past every view; the way while nothing is resolved. */
int signals_real_action(int signo, const struct sigaction *action, struct sigaction *old);

/* Whether the program has a handler of its own for an owned signal. */
bool signals_program_handles(int signo);

/* siginterrupt(3) on an owned signal: what later signal(3) calls ask for, and
 * the present view. Returns as signals_action. */
int signals_interrupt(int signo, bool interrupt);
bool signals_interrupts(int signo);

/* From here on no handler of ours uses a thread's alternate stack (sigaltstack(2)). */
void signals_leave_alternate_stacks(void);

/* Dies by the signal as if nobody had handled it. Returns only where the kernel
 * spares the process (pid 1 of a namespace); our handler is in place then. */
void signals_die(int signo);

/* exec keeps SIG_IGN: signals that the program believes ignored are ignored
 * from here on; after an exec that failed our handlers come back. */
void signals_before_exec(void);
void signals_after_failed_exec(void);

/*
 * After sys_forbidden() has changed. While system calls are forbidden, fatal signals are the
 * kernel's (our handler couldn't die by them), and nothing here makes a system call that the
 * program doesn't ask for. The caller has one thread do it.
 */
void signals_follow_forbidden(void);

/*
 * Gives all owned signals back to the program's view of them, but for a real-time signal that the
 * program has no handler for: that one stays ignored. A thread may have taken it from the queue
 * and not handled it yet, and its default action ends the program. With no other thread running.
 */
void signals_disown(void);

/* or_ignored: one that is ignored will do; an earlier injected library leaves its own so.
 * A real-time signal that nobody handles, from the top down (libc takes from the
 * bottom, programs count from SIGRTMIN); 0 = none. Constructor only. */
int signals_pick_realtime(bool or_ignored);

/* Every signal blocked (libc's own too) and put back, by raw system calls. */
uint64_t signals_block_all(void);
void signals_restore(uint64_t mask);

#endif
