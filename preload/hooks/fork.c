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
#include "hooks/fork.h"

#include "hooks/export.h"
#include "kit/sys.h"
#include "runtime/real.h"
#include "sample/core/gate.h"
#include "sample/cpu/cpu.h"
#include "sample/profiler.h"

#include <errno.h>
#include <pty.h>
#include <unistd.h>

/* After a fork, in both processes; errno stays. */
static void forked(const uint64_t *mask, bool child)
{
    int saved = errno;
    if (child)
        profiler_after_fork();
    cpu_after_fork(mask, child);
    errno = saved;
}

EXPORT pid_t fork(void)
{
    if (!gate_active()) /* also resolves the real one, should this be the first call */
        return real.fork();
    uint64_t mask;
    cpu_before_fork(&mask);
    pid_t pid = real.fork();
    forked(&mask, pid == 0);
    return pid;
}

/* These two fork inside the C library, past our fork. Of daemon(3) only the child returns. */
EXPORT int daemon(int nochdir, int noclose)
{
    uint64_t mask;
    bool active = gate_active();
    if (!real.daemon) {
        errno = ENOSYS;
        return -1;
    }
    if (!active)
        return real.daemon(nochdir, noclose);
    int parent = sys_getpid();
    cpu_before_fork(&mask);
    int result = real.daemon(nochdir, noclose);
    forked(&mask, sys_getpid() != parent);
    return result;
}

EXPORT int forkpty(int *master, char *name, const struct termios *terminal,
                   const struct winsize *window)
{
    uint64_t mask;
    bool active = gate_active();
    if (!real.forkpty) {
        errno = ENOSYS;
        return -1;
    }
    if (!active)
        return real.forkpty(master, name, terminal, window);
    cpu_before_fork(&mask);
    int pid = real.forkpty(master, name, terminal, window);
    forked(&mask, pid == 0);
    return pid;
}

long fork_by_syscall(long number, long a, long b, long c, long d, long e)
{
    uint64_t mask;
    if (!gate_active())
        return real.syscall(number, a, b, c, d, e, 0);
    cpu_before_fork(&mask);
    long pid = real.syscall(number, a, b, c, d, e, 0);
    forked(&mask, pid == 0);
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
