/*
 * Signal masks. A thread that blocks everything would neither be sampled nor
 * answer for its stack (hazard 15), so our signal is taken out of what is
 * blocked. The program is told what it expects: whether it believes the signal
 * blocked is kept for each thread.
 *
 * Masks that pass by these functions (a raw system call, makecontext with a
 * mask of its own) are honoured; such a thread is reached again at its next call here.
 */
#include "hooks/sigmask.h"
#include "hooks/export.h"
#include "hooks/repeat.h"
#include "runtime/signals.h"
#include "sample/core/gate.h"
#include "sample/core/own_signal.h"
#include "sample/dispatch.h"

#include <signal.h>

const sigset_t *sigmask_strip(const sigset_t *set, sigset_t *copy)
{
    int mine = own_signal;
    if (!set || !mine || sigismember(set, mine) != 1 || thread_self.really_blocked)
        return set;
    *copy = *set;
    sigdelset(copy, mine);
    return copy;
}

const sigset_t *sigmask_enter(const sigset_t *set, sigset_t *copy, bool *before)
{
    *before = thread_self.believes_blocked;
    if (set && own_signal)
        thread_self.believes_blocked = sigismember(set, own_signal) == 1;
    return sigmask_strip(set, copy);
}

void sigmask_leave(bool before)
{
    thread_self.believes_blocked = before;
}

bool sigmask_shuts_out(void)
{
    return own_signal && !signals_program_handles(own_signal);
}

/* What the program believes after the call. */
static bool believes(int how, const sigset_t *set, bool before)
{
    bool named = set && sigismember(set, own_signal) == 1;
    if (how == SIG_SETMASK)
        return set ? named : before;
    return how == SIG_BLOCK ? before || named : before && !named;
}

typedef int change_mask(int how, const sigset_t *set, sigset_t *old);

static int change(change_mask *real_change, int how, const sigset_t *set, sigset_t *old)
{
    int mine = own_signal;
    if (!mine)
        return real_change(how, set, old);
    bool before = thread_self.believes_blocked, after = believes(how, set, before);
    sigset_t copy;
    /* To unblock it for real does no harm, and reaches a thread whose mask went past us. */
    const sigset_t *passed = how == SIG_UNBLOCK ? set : sigmask_strip(set, &copy);
    thread_self.believes_blocked = after; /* what waits comes within the call */
    int result = real_change(how, passed, old);
    if (result != 0) {
        thread_self.believes_blocked = before;
        return result;
    }
    if (!after)
        dispatch_take_back();
    if (old && before)
        sigaddset(old, mine);
    return 0;
}

/* While the real ones are being looked up: there is no signal of ours yet. */
static long raw(int how, const sigset_t *set, sigset_t *old)
{
    return sys_call4(SYS_rt_sigprocmask, how, set, old, sizeof(uint64_t));
}

EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    if (!REPEAT_READY(sigprocmask))
        return (int)repeat_raw(raw(how, set, old));
    return change(real.sigprocmask, how, set, old);
}

/* Gives its error back instead of setting errno. */
EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    if (!REPEAT_READY(pthread_sigmask))
        return (int)-raw(how, set, old);
    return change(real.pthread_sigmask, how, set, old);
}
