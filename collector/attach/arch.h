/*
 * The registers of a stopped thread, and a signal frame made of them: what differs
 * between processors when a call is injected.
 *
 * An injected call looks to the program like a signal handler. Its return address is the
 * C library's own sa_restorer, below it lies a signal frame with the thread's registers.
 * When the call returns, rt_sigreturn(2) restores them, whether the injector still lives
 * or not.
 *
 * All functions work on a thread that this thread traces and that is stopped. Those that
 * return bool return false with errno set.
 */
#ifndef COLLECTOR_ATTACH_ARCH_H
#define COLLECTOR_ATTACH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#if defined(__x86_64__)
typedef struct user_regs_struct arch_registers;
#elif defined(__aarch64__)
typedef struct user_regs_struct arch_registers;
#endif

/* Bytes below the stack pointer that belong to the program (x86-64 psABI 3.2.2). */
#if defined(__x86_64__)
#define ARCH_RED_ZONE 128
#else
#define ARCH_RED_ZONE 0
#endif

/* Everything of a thread that an injected call changes. */
struct arch_state {
    arch_registers registers;
    unsigned char *vector; /* vector and floating-point registers, as the kernel gives them */
    size_t vector_size;    /* bytes */
    uint64_t mask;         /* blocked signals: signal n is bit n - 1 */
};

/* Reads the state; arch_free releases it. */
bool arch_read(pid_t tid, struct arch_state *state);
void arch_free(struct arch_state *state);

/*
 * Writes the state back. A system call that the stop interrupted goes on as after any
 * stop, with the time that remains of its timeout (ptrace(2), "restarted system calls").
 * The thread must be in an event stop, not in a stop at a system call.
 */
bool arch_write(pid_t tid, const struct arch_state *state);

/*
 * Some system calls end with EINTR after any stop, whatever the program's handlers ask for
 * (signal(7), "Interruption of system calls and library functions by stop signals"). Our stop
 * is not to be seen: such a call is made again, with its timeout from the beginning. Only
 * where no signal is pending that would have ended it anyway (the caller knows).
 */
void arch_undo_interruption(pid_t tid);
/* The same for a state that was read. */
void arch_undo_interruption_of(struct arch_state *state);

/* Has the system call that the stop interrupted made again from its beginning, with its timeout. */
void arch_restart_of(struct arch_state *state);

/* The stack pointer in a state that was read, an address in the traced process. */
uint64_t arch_stack_pointer(const struct arch_state *state);

/*
 * A return address and the signal frame behind it. arch_frame_size: bytes, a multiple of
 * 64; `buffer` has as many and will lie at `address` (a multiple of 64) in the target.
 * Returns the stack pointer for a call that returns into `restorer`.
 * In the frame an interrupted system call is to be made again from its beginning: a
 * timeout then starts anew, but no EINTR is seen.
 */
size_t arch_frame_size(const struct arch_state *state);
uint64_t arch_frame(const struct arch_state *state, uint64_t restorer, uint64_t address,
                    unsigned char *buffer);

/* The stack pointer at the rt_sigreturn of the frame for which arch_frame returned `sp`. */
uint64_t arch_return_sp(uint64_t sp);

/* Lets the thread continue at `pc` with that stack and up to six arguments. */
struct arch_call {
    uint64_t pc, sp;
    long number; /* of a system call; -1: a function */
    uint64_t arguments[6];
    uint64_t return_address; /* aarch64: x30; elsewhere it lies on the stack */
};
bool arch_set_call(pid_t tid, const struct arch_state *state, const struct arch_call *call);

/* In a stop at a system call: its number and arguments; at its end its result. */
bool arch_get_syscall(pid_t tid, struct arch_call *call);
bool arch_get_result(pid_t tid, long *result);
/* At the stop at a system call's beginning: makes it another one; -1: none at all. The thread goes
 * on at call->pc after it. */
bool arch_set_syscall(pid_t tid, const struct arch_call *call);
/* At its end: the arguments and the result that the program is to see. */
bool arch_end_syscall(pid_t tid, const struct arch_call *call, long result);

/* What to look for in the C library's code: see arch_find_code. */
struct arch_code {
    uint64_t syscall_return; /* a system call instruction followed by a return */
    uint64_t restorer;       /* the function that handlers return into */
};

/* Finds both in a copy of an executable segment that lies at `address`. Keeps what has
 * been found before; true once both are known. */
bool arch_find_code(const unsigned char *bytes, size_t size, uint64_t address,
                    struct arch_code *code);

#endif
