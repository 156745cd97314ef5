/*
 * Keeping our signals from showing: a system call that the kernel doesn't
 * restart by itself (poll, nanosleep ..., signal(7)) returns EINTR after any
 * handler, ours too. The handler can see that: the interrupted context stands
 * right behind a system call with -EINTR in its result register. It leaves a
 * note, and the hook of the function repeats the call. So it does for a call that ended with a
 * positive result, which may be a part of what was to be moved (hooks/transfer.c).
 *
 * The note holds the stack pointer at the system call: a hook takes only one
 * from its own call, not one from a handler of the program's that ran on top.
 * All signals are blocked in our handlers; if one of the program's is waiting to
 * run next, no note is left: the EINTR is then the program's.
 */
#ifndef LIBPROF_SAMPLE_EINTR_H
#define LIBPROF_SAMPLE_EINTR_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* Called at the end of each handler of ours. AS-safe. */
void eintr_note(const ucontext_t *context);

/* Forgets any note: before the call. Hook context. */
void eintr_forget(void);

/* Was a call from the function with this frame interrupted by us alone? */
bool eintr_taken(uintptr_t frame);

/* Was the call that the hook just made? */
#define eintr_ours() eintr_taken((uintptr_t)__builtin_frame_address(0))

#endif
