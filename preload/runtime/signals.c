#include "runtime/signals.h"

#include "kit/sys.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* libc's sigaction under the name that isn't interposed: it fills in the
 * trampoline that unwinders know (sigreturn(2), SA_RESTORER). */
extern int __sigaction(int signo, const struct sigaction *action, struct sigaction *old);

struct entry {
    signals_handler handler; /* immutable once the signal is owned, with flags and mode */
    int flags;
    enum signals_mode mode;
    _Atomic(uint32_t) sequence; /* odd while `program` is written */
    struct sigaction program;   /* the program's view; written under `lock` */
    atomic_bool interrupts;     /* siginterrupt(3) said so */
};

/* Few signals are ours: their entries lie together in one page of memory. The first stays
 * as it is, for all that aren't. */
#define ENTRIES_MAX 7
static struct entry entries[ENTRIES_MAX];
static unsigned entry_count = 1;
static uint8_t entry_indices[_NSIG]; /* by signal; written before its bit in `owned` */
static _Atomic(uint64_t) owned;      /* bit signo - 1 */
static atomic_bool no_alternate_stacks;
static _Atomic(uint32_t) lock_pid; /* pid of the process that holds the lock; 0 = free */

static struct entry *entry_of(int signo)
{
    return &entries[entry_indices[signo]];
}

uint64_t signals_block_all(void)
{
    uint64_t all = ~UINT64_C(0), before = 0;

    sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    return before;
}

void signals_restore(uint64_t mask)
{
    sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

/* False: system calls are forbidden, no lock is taken; two writers of one view at once are then the
 * program's own race. */
static bool lock(uint64_t *mask)
{
    uint32_t pid, holder = 0;

    if (sys_forbidden())
        return false;
    *mask = signals_block_all();
    pid = (uint32_t)sys_getpid();
    while (!atomic_compare_exchange_weak(&lock_pid, &holder, pid)) {
        /* another process's: its holder was not copied by fork, the lock is free */
        if (holder == pid) {
            sys_call0(SYS_sched_yield);
            holder = 0;
        }
    }
    return true;
}

static void unlock(bool locked, uint64_t mask)
{
    if (!locked)
        return;
    atomic_store(&lock_pid, 0);
    signals_restore(mask);
}

static void view_read(struct entry *entry, struct sigaction *view)
{
    uint32_t before;

    do {
        while ((before = atomic_load(&entry->sequence)) & 1 && !sys_forbidden())
            sys_call0(SYS_sched_yield);
        *view = entry->program;
        atomic_thread_fence(memory_order_acquire);
    } while (atomic_load(&entry->sequence) != before && !sys_forbidden());
}

static void view_write(struct entry *entry, const struct sigaction *view)
{
    uint32_t before = atomic_load(&entry->sequence);

    /* a fork in mid-write leaves it odd in the child; the next writer makes it even */
    atomic_store(&entry->sequence, before | 1);
    entry->program = *view;
    atomic_store(&entry->sequence, (before | 1) + 1);
}

static bool is_handler(const struct sigaction *action)
{
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

static void dispatch(int signo, siginfo_t *info, void *context);

/* What the kernel is to hold for a view. */
static void kernel_action(const struct entry *entry, const struct sigaction *view,
                          struct sigaction *action)
{
    /* a SA_RESETHAND done by the kernel would leave SIG_DFL where ours belongs */
    bool programs = view->sa_handler != SIG_DFL && !(view->sa_flags & (int)SA_RESETHAND);

    if (entry->mode == SIGNALS_FATAL && (programs || sys_forbidden())) {
        *action = *view;
        return;
    }
    memset(action, 0, sizeof *action);
    action->sa_flags = entry->flags;
    if (atomic_load(&no_alternate_stacks))
        action->sa_flags &= ~SA_ONSTACK;
    if (is_handler(view)) {
        /* its mask, its restarts; SA_RESETHAND is done to the view alone */
        action->sa_mask = view->sa_mask;
        action->sa_flags = view->sa_flags & ~SA_RESETHAND;
    } else if (entry->mode != SIGNALS_FATAL) {
        /* a handler of the program's that ran on top of ours would count as part
         * of what we interrupted (sample/core/eintr.h) */
        sigfillset(&action->sa_mask);
    }
    action->sa_flags |= SA_SIGINFO;
    action->sa_sigaction = dispatch;
}

/* Hands a signal to the program's handler, if it has one. Not inlined, nor is what follows: on
 * a small stack a sample that is dropped must fit below the kernel's frame. */
static __attribute__((noinline)) void forward(int signo, struct entry *entry, siginfo_t *info,
                                              void *context)
{
    struct sigaction view;

    view_read(entry, &view);
    if (!is_handler(&view))
        return;
    if (view.sa_flags & (int)SA_RESETHAND) {
        struct sigaction standard = view; /* mask and flags stay, as in the kernel */
        standard.sa_handler = SIG_DFL;
        signals_action(signo, &standard, NULL);
    }
    if (view.sa_flags & SA_SIGINFO)
        view.sa_sigaction(signo, info, context);
    else
        view.sa_handler(signo);
}

static void dispatch(int signo, siginfo_t *info, void *context)
{
    struct entry *entry = entry_of(signo);
    int saved = errno;

    bool programs = entry->mode == SIGNALS_FATAL && signals_program_handles(signo);

    if (programs || !entry->handler(signo, info, context)) {
        errno = saved;
        forward(signo, entry, info, context); /* may not come back: siglongjmp */
        return;                               /* the program's handler may leave its errno */
    }
    errno = saved;
}

bool signals_owned(int signo)
{
    return signo > 0 && signo < _NSIG &&
           atomic_load_explicit(&owned, memory_order_acquire) >> (signo - 1) & 1;
}

bool signals_own(int signo, signals_handler handler, int flags, enum signals_mode mode)
{
    struct entry *entry;
    struct sigaction now, action;

    if (signo <= 0 || signo >= _NSIG || signals_owned(signo) || __sigaction(signo, NULL, &now) < 0)
        return false;
    if (mode != SIGNALS_CHAINED && now.sa_handler != SIG_DFL)
        return false;
    if (entry_count == ENTRIES_MAX)
        return false;
    entry = &entries[entry_count];
    entry->handler = handler;
    entry->flags = flags;
    entry->mode = mode;
    entry->program = now;
    kernel_action(entry, &now, &action);
    entry_indices[signo] = (uint8_t)entry_count; /* the signal may come at once */
    if (__sigaction(signo, &action, NULL) < 0) {
        entry_indices[signo] = 0;
        return false;
    }
    entry_count++;
    atomic_fetch_or(&owned, UINT64_C(1) << (signo - 1));
    return true;
}

bool signals_give_back(int signo, const struct sigaction *action, struct sigaction *view)
{
    if (!action || action->sa_handler == SIG_DFL || entry_of(signo)->mode != SIGNALS_LENT)
        return false;
    view_read(entry_of(signo), view);
    /* the entry stays: a signal may be on its way to our handler */
    atomic_fetch_and(&owned, ~(UINT64_C(1) << (signo - 1)));
    return true;
}

int signals_action(int signo, const struct sigaction *action, struct sigaction *old)
{
    struct entry *entry = entry_of(signo);
    struct sigaction before, kernel, wanted;
    uint64_t mask = 0;
    bool locked;
    int result;

    if (!action) {
        if (old)
            view_read(entry, old);
        return 0;
    }
    wanted = *action; /* may be the same memory as old */
    kernel_action(entry, &wanted, &kernel);
    locked = lock(&mask);
    before = entry->program;
    result = __sigaction(signo, &kernel, NULL);
    if (result == 0)
        view_write(entry, &wanted);
    unlock(locked, mask);
    if (result == 0 && old)
        *old = before;
    return result;
}

int signals_real_action(int signo, const struct sigaction *action, struct sigaction *old)
{
    return __sigaction(signo, action, old);
}

int signals_apply_only(int signo, const struct sigaction *action, struct sigaction *old)
{
    struct sigaction wanted;

    if (action)
        wanted = *action;
    if (old)
        view_read(entry_of(signo), old);
    return action ? __sigaction(signo, &wanted, NULL) : 0;
}

__attribute__((noinline)) bool signals_program_handles(int signo)
{
    struct sigaction view;

    view_read(entry_of(signo), &view);
    return is_handler(&view);
}

int signals_interrupt(int signo, bool interrupt)
{
    struct sigaction view;

    atomic_store(&entry_of(signo)->interrupts, interrupt);
    view_read(entry_of(signo), &view);
    if (interrupt)
        view.sa_flags &= ~SA_RESTART;
    else
        view.sa_flags |= SA_RESTART;
    return signals_action(signo, &view, NULL);
}

bool signals_interrupts(int signo)
{
    return atomic_load(&entry_of(signo)->interrupts);
}

void signals_die(int signo)
{
    struct sigaction standard = {.sa_handler = SIG_DFL}, action, view;
    uint64_t bit = UINT64_C(1) << (signo - 1);

    __sigaction(signo, &standard, NULL);
    sys_call3(SYS_tgkill, sys_getpid(), sys_gettid(), signo);
    sys_call4(SYS_rt_sigprocmask, SIG_UNBLOCK, &bit, NULL, sizeof bit);
    view_read(entry_of(signo), &view);
    kernel_action(entry_of(signo), &view, &action);
    __sigaction(signo, &action, NULL);
}

/* For each chained signal that the program believes ignored: so it is in the
 * kernel (ignore), or our handler is. */
static void ignored_in_kernel(bool ignore)
{
    struct sigaction ignored = {.sa_handler = SIG_IGN}, action, view;

    for (int signo = 1; signo < _NSIG; signo++) {
        if (!signals_owned(signo) || entry_of(signo)->mode != SIGNALS_CHAINED)
            continue;
        view_read(entry_of(signo), &view);
        if (view.sa_handler != SIG_IGN)
            continue;
        kernel_action(entry_of(signo), &view, &action);
        __sigaction(signo, ignore ? &ignored : &action, NULL);
    }
}

void signals_leave_alternate_stacks(void)
{
    if (atomic_exchange(&no_alternate_stacks, true))
        return;
    for (int signo = 1; signo < _NSIG; signo++) {
        struct sigaction view;
        if (!signals_owned(signo))
            continue;
        view_read(entry_of(signo), &view);
        signals_action(signo, &view, NULL);
    }
}

void signals_before_exec(void)
{
    ignored_in_kernel(true);
}

void signals_after_failed_exec(void)
{
    ignored_in_kernel(false);
}

void signals_follow_forbidden(void)
{
    struct sigaction action, view;

    for (int signo = 1; signo < _NSIG; signo++) {
        if (!signals_owned(signo) || entry_of(signo)->mode != SIGNALS_FATAL)
            continue;
        view_read(entry_of(signo), &view);
        kernel_action(entry_of(signo), &view, &action);
        __sigaction(signo, &action, NULL);
    }
}

void signals_disown(void)
{
    const struct sigaction ignored = {.sa_handler = SIG_IGN};
    for (int signo = 1; signo < _NSIG; signo++) {
        if (!signals_owned(signo))
            continue;
        struct sigaction view = entry_of(signo)->program;
        bool realtime = signo >= SIGRTMIN;
        __sigaction(signo, realtime && !is_handler(&view) ? &ignored : &view, NULL);
    }
    atomic_store(&owned, 0);
    entry_count = 1;
}

int signals_pick_realtime(bool or_ignored)
{
    struct sigaction now;

    /* From the middle: systemd takes SIGRTMIN+0 to 6, 13 to 16 and 20 to 29, valgrind
     * the last; programs mostly count from either end. */
    for (int n = 18; n < 18 + SIGRTMAX - SIGRTMIN; n++) {
        int signo = SIGRTMIN + n % (SIGRTMAX - SIGRTMIN);
        if (!signals_owned(signo) && __sigaction(signo, NULL, &now) == 0 &&
            (now.sa_handler == SIG_DFL || (or_ignored && now.sa_handler == SIG_IGN)))
            return signo;
    }
    return 0;
}
