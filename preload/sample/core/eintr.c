#include "sample/core/eintr.h"
#include "kit/sys.h"
#include "sample/core/own_signal.h"
#include "sample/core/thread.h"

#include <errno.h>
#include <signal.h>

/* The hook and libc's functions around a system call take less stack than this; a handler's
 * frame from the kernel takes more (x86-64: 128 bytes of red zone, 440 of
 * context, 512 of registers at the least). */
#define CALL_REACH ((uintptr_t)960)

extern int __sigaction(int signal, const struct sigaction *action, struct sigaction *old);

/* Behind a system call that ended with EINTR, or with a number of bytes that may be a part. */
#if defined(__x86_64__)
static bool stands_behind_call(const ucontext_t *context, uintptr_t *sp)
{
    const greg_t *regs = context->uc_mcontext.gregs;
    if (regs[REG_RAX] != -EINTR && regs[REG_RAX] <= 0)
        return false;
    const uint8_t *pc = (const uint8_t *)regs[REG_RIP];
    *sp = (uintptr_t)regs[REG_RSP];
    if (((uintptr_t)pc & 4095) < 2) /* what is before it may not be readable */
        return false;
    return pc[-2] == 0x0f && pc[-1] == 0x05; /* syscall */
}
#elif defined(__aarch64__)
static bool stands_behind_call(const ucontext_t *context, uintptr_t *sp)
{
    const mcontext_t *regs = &context->uc_mcontext;
    if ((int64_t)regs->regs[0] != -EINTR && (int64_t)regs->regs[0] <= 0)
        return false;
    *sp = regs->sp;
    if ((regs->pc & 4095) < 4)
        return false;
    return ((const uint32_t *)regs->pc)[-1] == 0xd4000001; /* svc 0 */
}
#endif

/* Does the program have a handler for one of the signals that wait to be
 * delivered when ours returns? */
static __attribute__((noinline)) bool others_wait(const ucontext_t *context)
{
    uint64_t pending = 0, blocked;
    __builtin_memcpy(&blocked, &context->uc_sigmask, sizeof blocked);
    sys_call2(SYS_rt_sigpending, &pending, sizeof pending);
    pending &= ~blocked;
    if (own_signal)
        pending &= ~SIGNAL_BIT(own_signal);
    for (; pending; pending &= pending - 1) {
        struct sigaction action;
        if (__sigaction(__builtin_ctzll(pending) + 1, NULL, &action) != 0 ||
            (action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL))
            return true;
    }
    return false;
}

void eintr_note(const ucontext_t *context)
{
    uintptr_t sp;
    if (!sys_forbidden() && stands_behind_call(context, &sp) && !others_wait(context))
        thread_self.interrupted = sp;
}

void eintr_forget(void)
{
    thread_self.interrupted = 0;
}

bool eintr_taken(uintptr_t frame)
{
    uintptr_t sp = thread_self.interrupted;
    thread_self.interrupted = 0;
    return sp && frame - sp < CALL_REACH;
}
