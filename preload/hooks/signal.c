/*
 * sigaction and its relatives: for a signal of ours the program sees and sets
 * its own view (runtime/signals.h); every other signal goes to the real function
 * untouched. And what of ours asks for a dump.
 *
 * Sources: signal(2), sysv_signal(3), sigset(3), siginterrupt(3).
 */
#include "hooks/signal.h"
#include "sample/dispatch.h"

#include "dump/dump.h"
#include "hooks/export.h"
#include "kit/sys.h"
#include "runtime/config.h"
#include "runtime/real.h"
#include "runtime/signals.h"
#include "sample/core/eintr.h"
#include "sample/core/gate.h"
#include "sample/core/own_signal.h"
#include "wire/handover.h"

#include <errno.h>

/* Not declared by libc's headers under _GNU_SOURCE. */
sighandler_t bsd_signal(int signo, sighandler_t handler);
sighandler_t __sysv_signal(int signo, sighandler_t handler);

static _Atomic(uint32_t) dying_pid; /* who already dumps because of a fatal signal */

/* Is the signal ours? Resolves the real functions on a process's first call; asks
 * nothing of the profiler, which a forked child would have to start for it. */
static bool ours(int signo)
{
    if (!real.sigaction)
        gate_active();
    return signals_owned(signo);
}

static int set_other(int signo, const struct sigaction *action, struct sigaction *old);

static int act(int signo, const struct sigaction *action, struct sigaction *old)
{
    struct sigaction view;

    if (gate_in_vfork_child())
        return signals_apply_only(signo, action, old);
    if (!signals_give_back(signo, action, &view))
        return signals_action(signo, action, old);
    int result = set_other(signo, action, NULL);
    if (result == 0 && old)
        *old = view;
    return result;
}

/* signal(2) in one of its two flavours, on a signal of ours. */
static sighandler_t set_simply(int signo, sighandler_t handler, int flags, bool mask_itself)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags}, old;

    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    if (mask_itself)
        sigaddset(&action.sa_mask, signo);
    return act(signo, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

static sighandler_t set_bsd(int signo, sighandler_t handler)
{
    return set_simply(signo, handler, signals_interrupts(signo) ? 0 : SA_RESTART, true);
}

static sighandler_t set_sysv(int signo, sighandler_t handler)
{
    return set_simply(signo, handler, (int)(SA_RESETHAND | SA_NODEFER), false);
}

/* Signals that tell of a fault or an abort. */
#define FAULTS                                                                                     \
    (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGILL) |          \
     SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGSYS))

/* Signals whose handler, as the program set it, blocks the sampling signal. */
static _Atomic(uint64_t) blocks_sampling;

/* Some thread has a small alternate stack. */
static atomic_bool small_stacks;

static bool keeps_sampling_out(int signo, const struct sigaction *action)
{
    return SIGNAL_BIT(signo) & FAULTS ||
           (atomic_load(&small_stacks) && action->sa_flags & SA_ONSTACK);
}

void signal_block_on_alternate_stacks(void)
{
    struct sigaction now;

    if (atomic_exchange(&small_stacks, true))
        return;
    for (int signo = 1; signo < _NSIG; signo++) {
        if (signals_owned(signo) || real.sigaction(signo, NULL, &now) != 0 ||
            now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN ||
            !keeps_sampling_out(signo, &now))
            continue;
        sigaddset(&now.sa_mask, own_signal); /* the program isn't told, as by set_other */
        real.sigaction(signo, &now, NULL);
    }
}

/*
 * A signal of the program's own. The sampling signal is kept out while the handler
 * of a fault runs: that may be the end of a crashed program (hazard 40), or stand
 * on an alternate stack with no room for a second frame (hazard 9). So it is kept out of
 * other handlers where such a stack is small. No other handler blocks it: its time is time. The
 * program gets back the mask that it gave.
 */
static int set_other(int signo, const struct sigaction *action, struct sigaction *old)
{
    int mine = own_signal;
    struct sigaction changed;

    if (!mine || signo < 1 || signo >= _NSIG || gate_in_vfork_child())
        return real.sigaction(signo, action, old);
    uint64_t bit = SIGNAL_BIT(signo);
    bool had = (atomic_load(&blocks_sampling) & bit) != 0;
    bool wants = action && sigismember(&action->sa_mask, mine) == 1;
    if (action) {
        changed = *action;
        if (keeps_sampling_out(signo, action))
            sigaddset(&changed.sa_mask, mine);
        else
            sigdelset(&changed.sa_mask, mine);
    }
    int result = real.sigaction(signo, action ? &changed : NULL, old);
    if (result != 0)
        return result;
    if (old && had)
        sigaddset(&old->sa_mask, mine);
    else if (old)
        sigdelset(&old->sa_mask, mine);
    if (action && wants)
        atomic_fetch_or(&blocks_sampling, bit);
    else if (action)
        atomic_fetch_and(&blocks_sampling, ~bit);
    return 0;
}

EXPORT int sigaction(int signo, const struct sigaction *action, struct sigaction *old)
{
    if (ours(signo))
        return act(signo, action, old);
    /* not resolved yet: another thread is at it */
    return real.sigaction ? set_other(signo, action, old) : signals_real_action(signo, action, old);
}

EXPORT sighandler_t signal(int signo, sighandler_t handler)
{
    return ours(signo) ? set_bsd(signo, handler) : real.signal(signo, handler);
}

EXPORT sighandler_t bsd_signal(int signo, sighandler_t handler)
{
    return ours(signo) ? set_bsd(signo, handler) : real.bsd_signal(signo, handler);
}

EXPORT sighandler_t ssignal(int signo, sighandler_t handler)
{
    return ours(signo) ? set_bsd(signo, handler) : real.ssignal(signo, handler);
}

EXPORT sighandler_t sysv_signal(int signo, sighandler_t handler)
{
    return ours(signo) ? set_sysv(signo, handler) : real.sysv_signal(signo, handler);
}

/* What signal() is called by in programs compiled for strict standards. */
EXPORT sighandler_t __sysv_signal(int signo, sighandler_t handler)
{
    return ours(signo) ? set_sysv(signo, handler) : real.__sysv_signal(signo, handler);
}

EXPORT int sigignore(int signo)
{
    if (!ours(signo))
        return real.sigignore(signo);
    return set_simply(signo, SIG_IGN, 0, false) == SIG_ERR ? -1 : 0;
}

EXPORT int siginterrupt(int signo, int flag)
{
    return ours(signo) ? signals_interrupt(signo, flag != 0) : real.siginterrupt(signo, flag);
}

EXPORT sighandler_t sigset(int signo, sighandler_t handler)
{
    sigset_t just, before;
    sighandler_t old;

    if (!ours(signo))
        return real.sigset(signo, handler);
    sigemptyset(&just);
    sigaddset(&just, signo);
    if (handler == SIG_HOLD) {
        struct sigaction view;
        if (sigprocmask(SIG_BLOCK, &just, &before) < 0 || act(signo, NULL, &view) < 0)
            return SIG_ERR;
        return sigismember(&before, signo) ? SIG_HOLD : view.sa_handler;
    }
    old = set_simply(signo, handler, 0, false);
    if (old == SIG_ERR || sigprocmask(SIG_UNBLOCK, &just, &before) < 0)
        return SIG_ERR;
    return sigismember(&before, signo) ? SIG_HOLD : old;
}

/* What the sampling signal's handler calls when somebody outside asks (handover.h). */
static void on_asked(enum handover_ask ask)
{
    if (gate_in_vfork_child())
        return;
    if (ask == HANDOVER_ASK_THREADS && dump_owns_ledger())
        dump_request(DUMP_REASON_COMMAND);
    /* a process that recorded nothing gets its (empty) profiles too: asked for */
    if (ask == HANDOVER_ASK_DUMP && !sys_forbidden() && gate_active() && gate_ledger())
        dump_request(DUMP_REASON_SIGNAL);
}

/* Did the program send it to one of its own threads, or queue it to itself? Nobody does so to
 * ask for a dump (kill(2) to itself asks for one). */
static bool from_the_program(const siginfo_t *info)
{
    return (info->si_code == SI_TKILL || info->si_code == SI_QUEUE) && info->si_pid == sys_getpid();
}

/*
 * LIBPROF_SIGNAL, as long as the program leaves it at its default. What the program sends to
 * itself then has its default action, which ends the program.
 */
static bool on_dump_signal(int signo, siginfo_t *info, void *context)
{
    if (!signals_owned(signo)) /* given back a moment ago, and the program's to handle */
        return false;
    if (from_the_program(info))
        signals_die(signo);
    else if (own_signal_has_room(context))
        on_asked(HANDOVER_ASK_DUMP);
    eintr_note(context);
    return true;
}

/* A signal that ends the program, which it hasn't cared about: dump, then die by
 * it. Another one meanwhile is somebody in a hurry: it kills at once. */
static bool on_fatal_signal(int signo, siginfo_t *info, void *context)
{
    if (dump_owns_ledger()) {
        uint32_t pid = (uint32_t)sys_getpid();
        if (atomic_exchange(&dying_pid, pid) != pid)
            dump_run(DUMP_REASON_FATAL);
    }
    signals_die(signo);
    return true;
}

void signal_start_dumps(void)
{
    dispatch_asked = on_asked;
    if (config.signal) /* not where it comes ignored: that is handed down, too */
        signals_own((int)config.signal, on_dump_signal, SA_RESTART | SA_ONSTACK, SIGNALS_LENT);
}

/* The masks of the program's own handlers, as it gave them (set_other). */
static void restore_masks(int mine)
{
    uint64_t wants = atomic_load(&blocks_sampling);
    for (int signo = 1; signo < _NSIG; signo++) {
        struct sigaction now;
        bool wanted = wants & SIGNAL_BIT(signo);
        if (signals_owned(signo) || signals_real_action(signo, NULL, &now) != 0 ||
            (sigismember(&now.sa_mask, mine) == 1) == wanted)
            continue;
        if (!wanted && !keeps_sampling_out(signo, &now))
            continue; /* it was set before we came */
        if (wanted)
            sigaddset(&now.sa_mask, mine);
        else
            sigdelset(&now.sa_mask, mine);
        signals_real_action(signo, &now, NULL);
    }
}

void signal_stop(void)
{
    if (own_signal)
        restore_masks(own_signal);
    signals_disown();
    dispatch_stop();
}

void signal_start(void)
{
    static const int fatal[] = {SIGTERM, SIGINT, SIGHUP};

    signal_start_dumps();
    for (unsigned i = 0; config.at_exit && i < sizeof fatal / sizeof fatal[0]; i++)
        /* to a namespace's first process they aren't fatal (pid_namespaces(7)) */
        if (sys_getpid() != 1)
            signals_own(fatal[i], on_fatal_signal, SA_RESTART | SA_ONSTACK | SA_NODEFER,
                        SIGNALS_FATAL);
}
