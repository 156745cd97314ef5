/*
 * Stack walking: one interface, three engines (LIBPROF_UNWINDER: cfi, fp,
 * libunwind).
 *
 * A frame: wire/frame.h.
 *
 * Where system calls are forbidden (sys_forbidden, kit/sys.h), memory outside the thread's known
 * stack counts as unreadable, so coroutine stacks end as UNWIND_BROKEN.
 *
 * Context: everything here but unwind_init and unwind_after_fork_child is AS-safe and
 * hook-safe: no lock, no allocation, no errno, no thread-local storage that is
 * not initial-exec, no system call in the warm case.
 */
#ifndef LIBPROF_UNWIND_UNWIND_H
#define LIBPROF_UNWIND_UNWIND_H

#include "wire/frame.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

enum unwind_engine { UNWIND_CFI, UNWIND_FP, UNWIND_LIBUNWIND };

/*
 * Chooses the engine. Constructor only. Falls back (cfi -> fp where the
 * architecture has no cfi engine; libunwind -> cfi where it can't be loaded)
 * and returns the engine in force.
 */
enum unwind_engine unwind_init(enum unwind_engine wanted);

/* Which path the main program's module is to have: borrowed, absolute; "": the loader's
 * name for it. Before the first walk. */
void unwind_set_program(const char *path);

/* Walks that ended as UNWIND_BROKEN because they had made as many system calls as one event may
 * (stack_memory.h, EFFORT_CALLS). Any context. */
extern _Atomic(uint64_t) unwind_cut_short;

/* In fork's child, before it walks: forgets the parent's other threads. */
void unwind_after_fork_child(void);

/*
 * Which code is libprof's own, [low, high), to be left out at the top of a
 * stack. unwind_init sets it to libprof.so's text when it runs from a shared
 * library, and to nothing when linked into a program. Constructor and tests.
 */
void unwind_set_self(uintptr_t low, uintptr_t high);

/*
 * The limits of the calling thread's stack, [low, high), when the caller knows
 * them; otherwise both 0 and every page is checked before it is read.
 * memo: what unwind_from remembers of the thread's walks, or NULL.
 * Worth its memory where walks come close after one another (every allocation is
 * recorded): most frames are among those of a moment ago, and cost a third of what
 * it takes to unwind them.
 */
struct unwind_stack {
    uintptr_t low, high;
    struct unwind_memo *memo;
};

/*
 * A memo for the calling thread alone, or NULL when there are no more; and back.
 * unwind_after_fork_child takes all of them back. AS-safe.
 */
struct unwind_memo *unwind_memo_take(void);
void unwind_memo_give(struct unwind_memo *memo);

/*
 * Walks the stack of the caller. frames[0] is the innermost frame that lies
 * outside libprof.so itself: libprof's own frames are left out.
 * frames: room for max entries (1..UNWIND_MAX_DEPTH). Returns the number
 * written (0 when not even one caller could be found); *end says how it ended.
 */
unsigned unwind_here(const struct unwind_stack *stack, uint64_t *frames, unsigned max,
                     enum unwind_end *end);

/* Where a function was called from: what its caller's frame is unwound by. */
struct unwind_origin {
    uintptr_t ra, sp, fp; /* the return address; the stack pointer and the frame pointer after it */
};

/* The origin of the function that this stands in (which gets a frame pointer by it: that is
 * where the compiler keeps the caller's; x86-64 psABI 3.2.2, AAPCS64 6.4.6). */
#define UNWIND_ORIGIN()                                                                            \
    ((struct unwind_origin){(uintptr_t)__builtin_return_address(0),                                \
                            (uintptr_t)__builtin_dwarf_cfa(),                                      \
                            *(const uintptr_t *)__builtin_frame_address(0)})

/*
 * As unwind_here, but beginning at *origin, which must stand on the calling thread's stack, in the
 * frame of the function it is about or within that. Cheaper by the frames between, and by what
 * stack->memo knows. stack: not NULL. *hash: the frames' (hash.h).
 */
unsigned unwind_from(const struct unwind_origin *origin, const struct unwind_stack *stack,
                     uint64_t *frames, unsigned max, enum unwind_end *end, uint64_t *hash);

/*
 * Walks the interrupted stack of a signal handler. frames[0] is the interrupted
 * PC, exact; if that lies in libprof.so (a hook was interrupted), libprof's
 * frames are left out as above.
 */
unsigned unwind_context(const ucontext_t *context, const struct unwind_stack *stack,
                        uint64_t *frames, unsigned max, enum unwind_end *end);

/*
 * Walks the stack of another thread of this process that waits in a system call: its PC and stack
 * pointer as proc_pid_syscall(5) gives them. Other registers aren't known, so the walk ends as
 * UNWIND_BROKEN where a frame can be found by one of those only (a frame pointer, mostly).
 * It reads whatever is there: the caller makes sure afterwards that the thread hasn't moved.
 */
unsigned unwind_waiting(uintptr_t pc, uintptr_t sp, uint64_t *frames, unsigned max,
                        enum unwind_end *end);

#endif
