#include "sample/core/own_signal.h"
#include "kit/sys.h"
#include "sample/core/gate.h"
#include "sample/core/thread.h"

#include <sys/auxv.h>

int own_signal;
const char own_signal_timer_tag, own_signal_walk_tag;

/* Frames (1 KiB), a walk whose rules are not in the cache (2.8 KiB), the ledger. */
#define STACK_ROOM ((uintptr_t)4352)

#define NEAR_STACK ((uintptr_t)64 << 10)

bool own_signal_has_room(const ucontext_t *context)
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

size_t own_signal_stack_needed(void)
{
    size_t frame = getauxval(AT_MINSIGSTKSZ);
    return (frame ? frame : FRAME_UNKNOWN) + STACK_ROOM;
}

bool own_signal_unblock(void)
{
    if (!own_signal || sys_forbidden())
        return false;
    uint64_t mine = SIGNAL_BIT(own_signal), old = 0;
    sys_call4(SYS_rt_sigprocmask, SIG_UNBLOCK, &mine, &old, sizeof mine);
    return (old & mine) != 0;
}

/* Each says first what it is about to do and looks at the other's word then, so
 * that one of them sees it. */
static _Atomic(uint32_t) exec_tid;
static _Atomic(uint32_t) send_tid;

bool own_signal_send(uint32_t tid)
{
    siginfo_t info = {.si_signo = own_signal, .si_code = SI_QUEUE};
    info.si_pid = sys_getpid();
    info.si_ptr = (void *)(uintptr_t)&own_signal_walk_tag;
    atomic_store(&send_tid, tid);
    bool sent = atomic_load(&exec_tid) != tid &&
                sys_call4(SYS_rt_tgsigqueueinfo, info.si_pid, tid, own_signal, &info) == 0;
    atomic_store(&send_tid, 0);
    return sent;
}

void own_signal_before_exec(void)
{
    if (!own_signal || sys_forbidden())
        return;
    /* A vfork child isn't walked, and these words are its parent's. A forked one is, as soon as
     * somebody asks for a dump: also where nothing has made the thread known yet. */
    if (!gate_in_vfork_child()) {
        uint32_t tid = (uint32_t)sys_gettid();
        atomic_store(&exec_tid, tid);
        while (atomic_load(&send_tid) == tid) /* a system call long */
            sys_call0(SYS_sched_yield);
    }
    uint64_t mine = SIGNAL_BIT(own_signal);
    if (thread_self.believes_blocked)
        sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, &mine, NULL, sizeof mine);
}

void own_signal_after_failed_exec(void)
{
    if (!own_signal || sys_forbidden())
        return;
    own_signal_unblock();
    uint32_t tid = (uint32_t)sys_gettid();
    atomic_compare_exchange_strong(&exec_tid, &tid, 0);
}
