/*
 * sigaltstack. Our handlers run on a thread's alternate stack, because its own may be a
 * coroutine's. An alternate stack that is too small for the kernel's frame (3.4 KiB with AVX-512,
 * which AT_MINSIGSTKSZ tells; MINSIGSTKSZ is 2 KiB) and our handler is worse: the thread is
 * killed, or what lies below is overwritten. A handler's stack is a property of the signal, so
 * from the first such stack on none of ours uses alternate stacks, in any thread.
 */
#include "hooks/export.h"
#include "hooks/repeat.h"
#include "hooks/signal.h"
#include "kit/sys.h"
#include "runtime/real.h"
#include "runtime/signals.h"
#include "sample/core/gate.h"
#include "sample/core/own_signal.h"

EXPORT int sigaltstack(const stack_t *stack, stack_t *old)
{
    if (!real.sigaltstack)
        gate_active();
    /* before it is there; what can't be read is the kernel's to refuse */
    if (stack && own_signal && !sys_forbidden() && !gate_in_vfork_child() &&
        sys_is_readable((uintptr_t)&stack->ss_size) && !(stack->ss_flags & SS_DISABLE)) {
        if (stack->ss_size < own_signal_stack_needed())
            signals_leave_alternate_stacks();
        if (stack->ss_size < 2 * own_signal_stack_needed()) /* the program's handler and ours */
            signal_block_on_alternate_stacks();
    }
    return real.sigaltstack ? real.sigaltstack(stack, old)
                            : (int)repeat_raw(sys_call2(SYS_sigaltstack, stack, old));
}
