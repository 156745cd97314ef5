/*
 * The signal by which libprof reaches a thread: its CPU timer's, the dump's request for its
 * stack, and what somebody outside asks of the process. One signal for all, told apart by what
 * the kernel says of its origin (sigaction(2), si_code and si_value).
 *
 * A free real-time signal unless the user names one (LIBPROF_CPU_SIGNAL): the program's
 * SIGPROF stays the program's. A signal of that number that isn't ours goes on to the
 * program's own handler (runtime/signals.h), or waits in the kernel if the thread believes
 * it blocked; the thread is then out of our reach until it unblocks it.
 */
#ifndef LIBPROF_SAMPLE_CORE_OWN_SIGNAL_H
#define LIBPROF_SAMPLE_CORE_OWN_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

/* The signal; 0 while none is in use. Immutable between starts. */
extern int own_signal;

/*
 * Lets the signal through to the calling thread, whatever mask it inherited.
 * Returns whether it was blocked. AS-safe; one system call.
 */
bool own_signal_unblock(void);

/* Sends the signal with the walk's mark to a thread (rt_tgsigqueueinfo(2)); false: not sent. */
bool own_signal_send(uint32_t tid);

/*
 * Around an exec by the calling thread. A signal of ours that is still pending would kill the new
 * program (hazard 3); the kernel takes a timer's away by itself, so none of the other
 * kind may be sent from here on. What the program believes blocked is blocked for
 * the new one. Hook context, a vfork child too.
 */
void own_signal_before_exec(void);
void own_signal_after_failed_exec(void);

/* Is there room for a walk on the stack that the handler runs on? Where a
 * coroutine's stack ends isn't known: the kernel's frame, nearly as large as what follows, did
 * fit. context: the interrupted one. */
bool own_signal_has_room(const ucontext_t *context);

/* How large an alternate stack has to be for the kernel's frame (AT_MINSIGSTKSZ, getauxval(3)) and
 * a walk, bytes. */
size_t own_signal_stack_needed(void);

/* What tells our signals from others of the same number: the addresses in si_value. */
extern const char own_signal_timer_tag, own_signal_walk_tag;

/*
 * The kernel's view of a signal set: 64 bits, signal n is bit n - 1.
 */
#define SIGNAL_BIT(signal) (UINT64_C(1) << ((signal)-1))

#endif
