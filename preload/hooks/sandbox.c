/*
 * Seccomp: once the program has installed a filter, a system call that it
 * doesn't make itself may be its death (hazard 59). So the ways to install one
 * are watched: prctl(2) and, for seccomp(2), which libc doesn't wrap, syscall(2).
 * What was recorded by then is dumped before; afterwards memory alone is written
 * and libprof's handlers for deadly signals are gone. CPU samples go on where the filter lets
 * handlers return (filter.h).
 *
 * A filter inherited through exec (a container's, a service's) is no reason to
 * keep quiet: nearly every containerised process has one.
 */
#include "dump/dump.h"
#include "hooks/export.h"
#include "hooks/filter.h"
#include "hooks/fork.h"
#include "kit/sections.h"
#include "kit/sys.h"
#include "ledger/memory.h"
#include "runtime/config.h"
#include "runtime/log.h"
#include "runtime/real.h"
#include "runtime/relocated.h"
#include "runtime/signals.h"
#include "sample/core/gate.h"
#include "sample/core/own_signal.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* libc's own, past our hook. */
extern int __sigaction(int signo, const struct sigaction *action, struct sigaction *old);

/* The last system calls are made here: what others do meanwhile makes none already. */
static void forbid(bool forbidden)
{
    atomic_store(&sys_calls_forbidden, forbidden);
    signals_follow_forbidden();
    if (forbidden)
        memory_open_all();
}

/* Where handlers can't return, the signals that are ours alone are ignored: the timers then
 * send none, and a dump that is asked for doesn't end the program. Or, the filter having
 * been refused, they are handled again. */
static void ignore_signals(bool ignore)
{
    static COLD_TABLE struct sigaction handled[2]; /* filters are installed one at a time */
    const struct sigaction ignored = {.sa_handler = SIG_IGN};
    const int ours[2] = {own_signal, (int)config.signal};

    for (int i = 0; i < 2; i++) {
        if (!signals_owned(ours[i]) || signals_program_handles(ours[i]))
            continue;
        if (ignore)
            __sigaction(ours[i], &ignored, &handled[i]);
        else if (handled[i].sa_sigaction)
            __sigaction(ours[i], &handled[i], NULL);
    }
}

/* The program for the kernel, if that is what `filter` is: programs also ask with
 * nonsense, so it is copied by a call that can't fault. */
static bool lets_handlers_return(long filter)
{
    struct sock_fprog program = {0};
    struct iovec mine = {&program, sizeof program}, its = {(void *)filter, sizeof program};
    struct sock_filter code[BPF_MAXINSNS / 8];

    if (sys_call6(SYS_process_vm_readv, sys_getpid(), (long)&mine, 1, (long)&its, 1, 0) !=
            (long)sizeof program ||
        program.len > sizeof code / sizeof *code)
        return false;
    mine = (struct iovec){code, program.len * sizeof *code};
    its = (struct iovec){program.filter, mine.iov_len};
    program.filter = code;
    return sys_call6(SYS_process_vm_readv, sys_getpid(), (long)&mine, 1, (long)&its, 1, 0) ==
               (long)mine.iov_len &&
           filter_allows(&program, SYS_rt_sigreturn);
}

/* A filter is about to be asked for; `filter`: its program, 0 for the strict mode, which
 * lets handlers return. False: this process isn't concerned. */
static bool before_filter(long filter)
{
    if (gate_in_vfork_child())
        return false;
    if (!config.selected) { /* an exec looks at the new program all the same */
        forbid(true);
        return true;
    }
    dump_run(DUMP_REASON_SANDBOX);
    /* What the process and this thread need to go on being recorded takes system
     * calls: now or never. A forked child (sshd's) hasn't it yet. */
    if (gate_active() && gate_ledger() && gate_enter())
        gate_leave();
    if (filter && !lets_handlers_return(filter))
        ignore_signals(true);
    forbid(true);
    return true;
}

/* Programs ask with nonsense to see whether the kernel knows seccomp: then there
 * is no filter. */
static void after_filter(bool concerned, long result)
{
    if (concerned && result < 0) {
        forbid(false);
        ignore_signals(false);
    }
}

/* Does the call copy the process, memory and all? A child that shares its parent's memory
 * (clone's threads, vfork) returns on its parent's stack and must pass by a jump. */
static inline bool is_fork(long number, long flags)
{
#ifdef SYS_fork
    if ((int)number == SYS_fork)
        return true;
#endif
    return (int)number == SYS_clone && !(flags & CLONE_VM);
}

/* seccomp(2) and forks through syscall(2), and any call before the real one is known. */
static __attribute__((noinline, cold)) long rare_call(long number, long operation, long flags,
                                                      long filter, long d, long e, long f)
{
    if (!real.syscall)
        gate_active();
    if (!real.syscall) { /* still being looked up, by another thread */
        long result = sys_call6(number, operation, flags, filter, d, e, f);
        if (result < 0 && result >= -4095) {
            if (is_relocated()) /* else errno can't be reached */
                errno = (int)-result;
            return -1;
        }
        return result;
    }
    if (is_fork(number, operation))
        return fork_by_syscall(number, operation, flags, filter, d, e);
    if ((int)number != SYS_seccomp)
        return real.syscall(number, operation, flags, filter, d, e, f);
    bool installs =
        operation == SECCOMP_SET_MODE_STRICT || (operation == SECCOMP_SET_MODE_FILTER && filter);
    bool concerned = installs && before_filter(operation == SECCOMP_SET_MODE_FILTER ? filter : 0);
    long result = real.syscall(SYS_seccomp, operation, flags, filter, 0, 0, 0);

    after_filter(concerned, result);
    return result;
}

/* Every argument is a register's worth (prctl(2): all are unsigned long). */
EXPORT int prctl(int option, ...)
{
    unsigned long arguments[4];
    va_list list;
    bool concerned = false;
    int result;

    va_start(list, option);
    for (int i = 0; i < 4; i++)
        arguments[i] = va_arg(list, unsigned long);
    va_end(list);
    if (!real.prctl)
        gate_active();
    if (option == PR_SET_SECCOMP && (arguments[0] == SECCOMP_MODE_STRICT || arguments[1]))
        concerned = before_filter(arguments[0] == SECCOMP_MODE_FILTER ? (long)arguments[1] : 0);
    if (!real.prctl)
        return (int)rare_call(SYS_prctl, option, (long)arguments[0], (long)arguments[1],
                              (long)arguments[2], (long)arguments[3], 0);
    result = real.prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
    after_filter(concerned, result);
    return result;
}

/* syscall(2) without the dots: as many arguments as any call takes, in the same
 * places, so that every other number passes by a jump (a raw clone returns twice,
 * hazard 6). Under another name in C: unistd.h declares it with the dots. */
EXPORT long sandbox_syscall(long number, long a, long b, long c, long d, long e,
                            long f) __asm__("syscall");

long sandbox_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if ((int)number == SYS_seccomp || is_fork(number, a) || !real.syscall)
        return rare_call(number, a, b, c, d, e, f);
    return real.syscall(number, a, b, c, d, e, f);
}
