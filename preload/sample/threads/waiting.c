#include "sample/threads/waiting.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "sample/core/scratch.h"
#include "unwind/unwind.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

uint32_t waiting_stack(uint32_t tid, const struct task_call *call, uint64_t last_ran,
                       bool *complete)
{
    struct scratch scratch;
    struct task_call after;
    enum unwind_end end = UNWIND_BROKEN;
    uint32_t stack = 0;

    *complete = false;
    if (call->number < 0 || call->pc == 0)
        return 0;
    scratch_open(&scratch, (unsigned)config.depth);
    unsigned depth = unwind_waiting(call->pc, call->sp, scratch.frames, scratch.max, &end);
    task_call(tid, &after);
    bool stood = memcmp(&after, call, sizeof after) == 0 && task_last_ran(tid) == last_ran;
    depth = stood ? scratch_drop_own(&scratch, depth) : 0;
    if (depth) {
        stack = ledger_stack(scratch.frames, depth, end);
        *complete = end != UNWIND_BROKEN;
    }
    scratch_close(&scratch);
    return stack;
}

bool waiting_may_be_signalled(const struct task_call *call)
{
    switch (call->number) {
    /* A part that has moved would be the result. */
    case SYS_write:
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_recvmmsg:
    case SYS_sendfile:
    case SYS_splice:
    case SYS_vmsplice:
    case SYS_tee:
    case SYS_copy_file_range:
    case SYS_getrandom:
        return false;
    case SYS_recvfrom:
        return !(call->arguments[3] & MSG_WAITALL);
    case SYS_recvmsg:
        return !(call->arguments[2] & MSG_WAITALL);
    /* Waits for a signal, and calls that no hook repeats. */
    case SYS_rt_sigsuspend:
    case SYS_rt_sigtimedwait:
#ifdef SYS_pause
    case SYS_pause:
#endif
    case SYS_io_getevents:
    case 426: /* io_uring_enter */
        return false;
    default:
        return true;
    }
}
