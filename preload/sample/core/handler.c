#include "sample/core/handler.h"
#include "kit/sys.h"
#include "runtime/config.h"
#include "runtime/signals.h"
#include "sample/core/eintr.h"
#include "sample/core/recorder.h"
#include "sample/core/thread.h"
#include "sample/cpu/cpu.h"
#include "sample/threads/ask.h"

#include <sys/auxv.h>

int handler_signal;
void (*handler_asked)(enum handover_ask ask);
const char handler_timer_tag, handler_walk_tag;

static bool from_timer(const siginfo_t *info)
{
    return info->si_code == SI_TIMER && info->si_ptr == &handler_timer_tag;
}

static bool from_walk(const siginfo_t *info)
{
    return info->si_code == SI_QUEUE && info->si_ptr == &handler_walk_tag;
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
        return sys_call4(SYS_rt_tgsigqueueinfo, pid, tid, handler_signal, &info) == 0;
    /* only the main thread may say that it came of kill (rt_sigqueueinfo(2)) */
    if (info.si_code >= 0 && tid != pid)
        info.si_code = SI_QUEUE;
    return sys_call3(SYS_rt_sigqueueinfo, pid, handler_signal, &info) == 0;
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
    if (!self->masked || handler_sealed() || self->tid != (uint32_t)sys_gettid())
        return false;
    uint64_t mine = HANDLER_BIT(handler_signal); /* the program's handler may allow itself */
    sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, &mine, NULL, sizeof mine);
    if (!send_on(*info, info->si_code == SI_TKILL))
        return false;
    if (!self->gave_way)
        cpu_pause(); /* its signals would wait there too */
    self->gave_way = true;
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
        walk_answer(context);
    else if (asked(info)) {
        if (handler_asked && handler_has_room(context))
            handler_asked(asked(info));
    } else if (!give_way(info, context))
        return false;
    eintr_note(context);
    return true;
}

bool handler_waited_for(const siginfo_t *info)
{
    if (info->si_signo != handler_signal || !handler_signal)
        return false;
    if (!from_timer(info) && !from_walk(info) && !asked(info))
        return false;
    if (!thread_self.gave_way && !handler_sealed())
        send_on(*info, true); /* not blocked: handled before the call returns */
    return true;
}

void handler_take_back(void)
{
    if (!thread_self.gave_way)
        return;
    thread_self.gave_way = false;
    cpu_resume();
}

void handler_start(bool active)
{
    if (!active || handler_signal) /* a forked child has its parent's handler */
        return;
    int signal = config.cpu_signal ? (int)config.cpu_signal : signals_pick_realtime();
    if (signal && signals_own(signal, handle, SA_RESTART | SA_ONSTACK, SIGNALS_CHAINED))
        handler_signal = handover_asked_by = signal;
}

void handler_stop(void)
{
    handler_signal = 0;
}

/* Frames (1 KiB), a walk whose rules are not in the cache (2.8 KiB), the ledger. */
#define STACK_ROOM ((uintptr_t)4352)

#define NEAR_STACK ((uintptr_t)64 << 10)

bool handler_has_room(const ucontext_t *context)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t low = thread_self.stack.low, high = thread_self.stack.high;
    const stack_t *alternate = &context->uc_stack; /* the thread's, sigaltstack(2) */
    /* Just below what is known of the stack: near its guard, if not in it. */
    if (here < low && low - here < NEAR_STACK && alternate->ss_flags & SS_DISABLE)
        return false;
    if (here < low || here >= high) {
        low = (uintptr_t)alternate->ss_sp;
        high = alternate->ss_flags & SS_DISABLE ? low : low + alternate->ss_size;
    }
    return here < low || here >= high || here - low >= STACK_ROOM;
}

/* Where the kernel doesn't tell (before 5.14): AVX-512's, the largest that comes unasked. */
#define FRAME_UNKNOWN ((size_t)3632)

size_t handler_stack_needed(void)
{
    size_t frame = getauxval(AT_MINSIGSTKSZ);
    return (frame ? frame : FRAME_UNKNOWN) + STACK_ROOM;
}

bool handler_unblock(void)
{
    if (!handler_signal || handler_sealed())
        return false;
    uint64_t mine = HANDLER_BIT(handler_signal), old = 0;
    sys_call4(SYS_rt_sigprocmask, SIG_UNBLOCK, &mine, &old, sizeof mine);
    return (old & mine) != 0;
}

/* Each says first what it is about to do and looks at the other's word then, so
 * that one of them sees it. */
static _Atomic(uint32_t) exec_tid;
static _Atomic(uint32_t) send_tid;

bool handler_send(uint32_t tid)
{
    siginfo_t info = {.si_signo = handler_signal, .si_code = SI_QUEUE};
    info.si_pid = sys_getpid();
    info.si_ptr = (void *)(uintptr_t)&handler_walk_tag;
    atomic_store(&send_tid, tid);
    bool sent = atomic_load(&exec_tid) != tid &&
                sys_call4(SYS_rt_tgsigqueueinfo, info.si_pid, tid, handler_signal, &info) == 0;
    atomic_store(&send_tid, 0);
    return sent;
}

void handler_before_exec(void)
{
    if (!handler_signal || handler_sealed())
        return;
    /* A vfork child isn't walked, and these words are its parent's. A forked one is, as soon as
     * somebody asks for a dump: also where nothing has made the thread known yet. */
    if (!recorder_in_vfork_child()) {
        uint32_t tid = (uint32_t)sys_gettid();
        atomic_store(&exec_tid, tid);
        while (atomic_load(&send_tid) == tid) /* a system call long */
            sys_call0(SYS_sched_yield);
    }
    uint64_t mine = HANDLER_BIT(handler_signal);
    if (thread_self.masked)
        sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, &mine, NULL, sizeof mine);
}

void handler_after_failed_exec(void)
{
    if (!handler_signal || handler_sealed())
        return;
    handler_unblock();
    uint32_t tid = (uint32_t)sys_gettid();
    atomic_compare_exchange_strong(&exec_tid, &tid, 0);
}
