#include "sample/handler.h"
#include "runtime/config.h"
#include "runtime/signals.h"
#include "runtime/sys.h"
#include "sample/cpu.h"
#include "sample/eintr.h"
#include "sample/walk.h"

int handler_signal;
const char handler_timer_tag, handler_walk_tag;

static bool handle(int signal, siginfo_t *info, void *context)
{
    bool timer = info->si_code == SI_TIMER && info->si_ptr == &handler_timer_tag;
    bool walk = info->si_code == SI_QUEUE && info->si_ptr == &handler_walk_tag;
    if (timer)
        cpu_sample(1 + (unsigned)info->si_overrun, context);
    else if (walk)
        walk_answer(context);
    else
        return false;
    eintr_note(context);
    return true;
}

void handler_start(bool active)
{
    bool wanted = active && (config.cpu_hz || config.profiles & 1u << CONFIG_THREADS);
    if (!wanted || handler_signal) /* a forked child has its parent's handler */
        return;
    int signal = config.cpu_signal ? (int)config.cpu_signal : signals_pick_realtime();
    if (signal && signals_own(signal, handle, SA_RESTART | SA_ONSTACK, SIGNALS_CHAINED))
        handler_signal = signal;
}

bool handler_unblock(void)
{
    if (!handler_signal)
        return false;
    uint64_t mine = HANDLER_BIT(handler_signal), old = 0;
    sys_call4(SYS_rt_sigprocmask, SIG_UNBLOCK, &mine, &old, sizeof mine);
    return (old & mine) != 0;
}
