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
#ifndef LIBPROF_SAMPLE_CORE_EINTR_H
#define LIBPROF_SAMPLE_CORE_EINTR_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* Called at the end of each handler of ours. AS-safe. */
void eintr_note(const ucontext_t *context);

/* Forgets any note: before the call. Hook context. */
void eintr_forget(void);

/* Was a call from the function with this stack pointer interrupted by us alone? */
bool eintr_taken(uintptr_t frame);

/* Not by __builtin_frame_address: the hook would get a frame pointer, and a thread that waits in
 * it couldn't be walked from outside (unwind_waiting), where only the stack pointer is known. */
static inline __attribute__((always_inline)) uintptr_t eintr_stack_pointer(void)
{
    uintptr_t sp;
#if defined(__x86_64__)
    __asm__ volatile("mov %%rsp, %0" : "=r"(sp));
#else
    __asm__ volatile("mov %0, sp" : "=r"(sp));
#endif
    return sp;
}

/* Was the call that the hook just made? */
#define eintr_ours() eintr_taken(eintr_stack_pointer())

/* For the same reason a hook that waits saves its caller's frame pointer where its tables say. */
#if defined(__x86_64__) && defined(__OPTIMIZE__) && !defined(__clang__)
#define EINTR_SAVE_FRAME_POINTER() __asm__ volatile("" ::: "rbp")
#else
#define EINTR_SAVE_FRAME_POINTER() ((void)0)
#endif

#endif
