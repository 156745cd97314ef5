/*
 * fork and its relatives. A forked child is noticed by its wiped page, so the
 * hook here only keeps our signal from making the copy of a large process start
 * again and again (hazard 4).
 *
 * vfork can't be wrapped by a C function: the child would return through the
 * wrapper's frame and the parent find it overwritten (hazard 6). The hook is a
 * tail jump: it marks the thread and leaves the stack and every register but
 * one as they were.
 */
#include "hooks/export.h"
#include "runtime/real.h"
#include "sample/core/gate.h"
#include "sample/cpu/cpu.h"
#include "sample/profiler.h"

#include <errno.h>
#include <unistd.h>

EXPORT pid_t fork(void)
{
    if (!gate_active()) /* also resolves the real one, should this be the first call */
        return real.fork();
    uint64_t mask;
    cpu_before_fork(&mask);
    pid_t pid = real.fork();
    int saved = errno;
    if (pid == 0)
        profiler_after_fork();
    cpu_after_fork(&mask, pid == 0);
    errno = saved;
    return pid;
}

/* Marks the thread and gives the real vfork back. */
static __attribute__((used)) pid_t (*vfork_prepare(void))(void)
{
    if (gate_active())
        thread_self.vforked = true;
    return real.vfork;
}

#if defined(__x86_64__)
/* rax is free at function entry, the stack is 8 off alignment (System V ABI 3.2.2). */
__asm__(".text\n"
        ".globl vfork\n"
        ".type vfork, @function\n"
        "vfork:\n"
        ".cfi_startproc\n"
        "sub $8, %rsp\n"
        ".cfi_adjust_cfa_offset 8\n"
        "call vfork_prepare\n"
        "add $8, %rsp\n"
        ".cfi_adjust_cfa_offset -8\n"
        "jmp *%rax\n"
        ".cfi_endproc\n"
        ".size vfork, .-vfork\n");
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl vfork\n"
        ".type vfork, %function\n"
        "vfork:\n"
        ".cfi_startproc\n"
        "stp x29, x30, [sp, #-16]!\n"
        ".cfi_adjust_cfa_offset 16\n"
        "bl vfork_prepare\n"
        "ldp x29, x30, [sp], #16\n"
        ".cfi_adjust_cfa_offset -16\n"
        "br x0\n"
        ".cfi_endproc\n"
        ".size vfork, .-vfork\n");
#endif
