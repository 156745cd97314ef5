#include "sample/dispatch.h"
#include "kit/sys.h"
#include "runtime/config.h"
#include "runtime/signals.h"
#include "sample/core/eintr.h"
#include "sample/core/own_signal.h"
#include "sample/core/thread.h"
#include "sample/cpu/cpu.h"
#include "sample/threads/ask.h"
#include "wire/attach_order.h"

void (*dispatch_asked)(enum handover_ask ask);

static bool from_timer(const siginfo_t *info)
{
    return info->si_code == SI_TIMER && info->si_ptr == &own_signal_timer_tag;
}

static bool from_walk(const siginfo_t *info)
{
    return info->si_code == SI_QUEUE && info->si_ptr == &own_signal_walk_tag;
}

static enum handover_ask asked(const siginfo_t *info)
{
    uint64_t value = (uintptr_t)info->si_ptr;
    bool known =
        value == HANDOVER_ASK(HANDOVER_ASK_THREADS) || value == HANDOVER_ASK(HANDOVER_ASK_DUMP);
    return info->si_code == SI_QUEUE && known ? (enum handover_ask)(value & 0xff)
                                              : HANDOVER_ASK_NOTHING;
}

/* Sends a signal on, to the calling thread or to whichever thread of the process takes it. */
static bool send_on(siginfo_t info, bool thread)
{
    int pid = sys_getpid(), tid = (int)thread_self.tid;
    if (thread)
        return sys_call4(SYS_rt_tgsigqueueinfo, pid, tid, own_signal, &info) == 0;
    /* only the main thread may say that it came of kill (rt_sigqueueinfo(2)) */
    if (info.si_code >= 0 && tid != pid)
        info.si_code = SI_QUEUE;
    return sys_call3(SYS_rt_sigqueueinfo, pid, own_signal, &info) == 0;
}

/*
 * A signal of the program's, in a thread that believes it blocked: now it is, and
 * the signal is sent again, to wait where the program looks for it (sigwait,
 * signalfd, sigpending, the next change of a mask). Other threads that block it
 * pass it on in the same way, until it lands or all of them really block it.
 */
static bool give_way(const siginfo_t *info, ucontext_t *context)
{
    struct thread_state *self = &thread_self;
    if (!self->believes_blocked || sys_forbidden() || self->tid != (uint32_t)sys_gettid())
        return false;
    uint64_t mine = SIGNAL_BIT(own_signal); /* the program's handler may allow itself */
    sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, &mine, NULL, sizeof mine);
    if (!send_on(*info, info->si_code == SI_TKILL))
        return false;
    if (!self->really_blocked)
        cpu_pause(); /* its signals would wait there too */
    self->really_blocked = true;
    uint64_t blocked; /* when the handler returns; sigaddset is a call */
    __builtin_memcpy(&blocked, &context->uc_sigmask, sizeof blocked);
    blocked |= mine;
    __builtin_memcpy(&context->uc_sigmask, &blocked, sizeof blocked);
    return true;
}

static bool handle(int signal, siginfo_t *info, void *context)
{
    if (from_timer(info))
        cpu_sample(1 + (unsigned)info->si_overrun, context);
    else if (from_walk(info))
        ask_answer(context);
    else if (asked(info)) {
        if (dispatch_asked && own_signal_has_room(context))
            dispatch_asked(asked(info));
    } else if (!give_way(info, context))
        return false;
    eintr_note(context);
    return true;
}

bool dispatch_waited_for(const siginfo_t *info)
{
    if (info->si_signo != own_signal || !own_signal)
        return false;
    if (!from_timer(info) && !from_walk(info) && !asked(info))
        return false;
    if (!thread_self.really_blocked && !sys_forbidden())
        send_on(*info, true); /* not blocked: handled before the call returns */
    return true;
}

void dispatch_take_back(void)
{
    if (!thread_self.really_blocked)
        return;
    thread_self.really_blocked = false;
    cpu_resume();
}

void dispatch_start(bool active)
{
    if (!active || own_signal) /* a forked child has its parent's handler */
        return;
    int signal =
        config.cpu_signal ? (int)config.cpu_signal : signals_pick_realtime(attach_is_injected());
    if (signal && signals_own(signal, handle, SA_RESTART | SA_ONSTACK, SIGNALS_CHAINED))
        own_signal = handover_asked_by = signal;
}

void dispatch_stop(void)
{
    own_signal = 0;
}
