#include "sample/cpu/cpu.h"
#include "kit/mappings.h"
#include "kit/sys.h"
#include "ledger/counter.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/log.h"
#include "sample/core/gate.h"
#include "sample/core/own_signal.h"
#include "sample/core/random.h"
#include "sample/core/scratch.h"
#include "sample/core/task.h"
#include "sample/core/thread_entry.h"
#include "trace/trace.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

static uint64_t period_ns; /* 0 = off; immutable between starts */
static _Atomic(bool) warned;

/* Each timer holds a queued signal of the user's (ulimit -i): half is the most we
 * take, the program has timers and signals of its own to queue. */
static _Atomic(uint64_t) timers;
static uint64_t timers_most;

static void read_timers_most(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    sys_call4(SYS_prlimit64, 0, RLIMIT_SIGPENDING, NULL, &limit);
    timers_most = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : (limit.rlim_cur + 1) / 2;
}

void cpu_start(bool active)
{
    period_ns = active && own_signal && config.cpu_hz ? 1000000000 / config.cpu_hz : 0;
    if (period_ns)
        read_timers_most();
}

/*
 * An injected library's timers, so that all can be deleted, and those that were made for
 * threads which existed before it.
 * Open addressing by tid; entries are taken and given back by exchange.
 */
#define MADE_MAX 65536u
struct made {
    _Atomic(uint32_t) tid;   /* 0 = free */
    _Atomic(uint32_t) timer; /* id + 1; 0 = not there yet */
};
static struct made *made; /* NULL: preloaded */

static void note_made(uint32_t tid, uint32_t timer)
{
    for (uint32_t n = 0; made && n < MADE_MAX; n++) {
        struct made *entry = &made[(tid + n) % MADE_MAX];
        uint32_t none = 0;
        if (atomic_compare_exchange_strong(&entry->tid, &none, tid)) {
            atomic_store(&entry->timer, timer);
            return;
        }
    }
}

/* The timer that was made for a thread; 0 = none. */
static struct made *find_made(uint32_t tid)
{
    for (uint32_t n = 0; made && n < 64; n++) {
        struct made *entry = &made[(tid + n) % MADE_MAX];
        if (atomic_load(&entry->tid) == tid)
            return entry;
    }
    return NULL;
}

static void forget_made(uint32_t tid)
{
    struct made *entry = find_made(tid);
    if (entry) {
        atomic_store(&entry->timer, 0);
        atomic_store(&entry->tid, 0);
    }
}

/* A timer on a thread's CPU clock: its id + 1, or 0. */
static uint32_t create_timer_on(clockid_t clock, uint32_t tid, long *error)
{
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD_ID,
        .sigev_signo = own_signal,
        .sigev_value.sival_ptr = (void *)(uintptr_t)&own_signal_timer_tag,
    };
    event._sigev_un._tid = (int)tid;
    int timer = 0;
    *error = -EAGAIN; /* timer_create(2)'s, when the user's limit is reached */
    if (atomic_fetch_add(&timers, 1) < timers_most)
        *error = sys_call3(SYS_timer_create, clock, &event, &timer);
    if (*error >= 0) {
        note_made(tid, (uint32_t)timer + 1);
        return (uint32_t)timer + 1;
    }
    atomic_fetch_sub(&timers, 1);
    return 0;
}

/* Why there is none, once. error: -errno. */
static void complain(long error)
{
    if (atomic_exchange(&warned, true))
        return;
    if (error == -EAGAIN)
        log_line(LOG_WARN,
                 "a thread is not sampled: the user's limit of queued signals is reached, "
                 "so it gets no CPU timer; raise ulimit -i");
    else
        log_line(LOG_WARN,
                 "a thread is not sampled: the kernel or a sandbox refuses timer_create(2) "
                 "(error %ld), so it gets no CPU timer",
                 -error);
}

/* flags: 0 or TIMER_ABSTIME, against the thread's CPU clock. */
static void arm_timer(uint32_t timer, uint64_t first_ns, int flags)
{
    struct itimerspec spec = {
        .it_interval = {(time_t)(period_ns / 1000000000), (long)(period_ns % 1000000000)},
        .it_value = {(time_t)(first_ns / 1000000000), (long)(first_ns % 1000000000)},
    };
    sys_call4(SYS_timer_settime, timer - 1, flags, &spec, NULL);
}

/* A forked child's first thread has its parent's noted, until it starts one itself. */
static bool has_timer(const struct thread_state *self)
{
    return self->timer && self->timer_tid == self->tid;
}

void cpu_thread_start(bool newborn)
{
    struct thread_state *self = &thread_self;
    if (period_ns == 0 || self->ended || sys_forbidden())
        return;
    struct made *adopted = find_made(self->tid);
    if (made) { /* what the thread has noted may be of an earlier attachment */
        self->timer = adopted ? atomic_load(&adopted->timer) : 0;
        self->timer_tid = self->tid;
    }
    if (has_timer(self))
        return;
    self->cpu_signalled = 0;
    self->first_ns = 0;
    self->timer_tid = self->tid;
    long error;
    self->timer = create_timer_on(CLOCK_THREAD_CPUTIME_ID, self->tid, &error);
    if (!self->timer) {
        if (!self->timer_failed)
            ledger_count(LEDGER_STAT_CPU_TIMERS_FAILED, 1);
        self->timer_failed = true;
        complain(error);
        return;
    }
    if (self->timer_failed)
        ledger_count(LEDGER_STAT_CPU_TIMERS_FAILED, (uint64_t)-1);
    self->timer_failed = false;
    uint64_t first = (uint64_t)(random_uniform() * (double)period_ns) + 1;
    if (newborn)
        self->first_ns = (uint32_t)first;
    arm_timer(self->timer, first, newborn ? TIMER_ABSTIME : 0);
}

void cpu_thread_retry(void)
{
    if (thread_self.timer_failed)
        cpu_thread_start(false);
}

void cpu_pause(void)
{
    struct itimerspec none = {0};
    if (has_timer(&thread_self) && !sys_forbidden())
        sys_call4(SYS_timer_settime, thread_self.timer - 1, 0, &none, NULL);
}

void cpu_resume(void)
{
    thread_self.first_ns = 0; /* its periods can't be told from its clock any more */
    if (has_timer(&thread_self) && !sys_forbidden())
        arm_timer(thread_self.timer, period_ns, 0);
}

/* Adds to the calling thread's account of a stack. */
static void charge(uint64_t periods, const uint64_t *frames, unsigned depth, enum unwind_end end)
{
    uint32_t site = ledger_site(LEDGER_KIND_CPU, thread_index(), frames, depth, end);
    struct ledger_counter *counter = site ? ledger_counter(thread_self.plane, site) : NULL;
    if (!counter) {
        ledger_count(LEDGER_STAT_CPU_LOST, periods);
        return;
    }
    thread_self.charged = true;
    thread_add(&counter->count, periods);
    thread_add(&counter->value, periods * period_ns);
    trace_note(LEDGER_TRACE_CPU, thread_self.index, site, periods * period_ns);
    ledger_count(LEDGER_STAT_CPU_SAMPLES, 1);
}

/* Walks and records. Not inlined: its frame is made once there is known to be room. */
static __attribute__((noinline)) void record(unsigned weight, const ucontext_t *context)
{
    struct thread_state *self = &thread_self;
    struct scratch scratch;
    enum unwind_end end;
    scratch_open(&scratch, (unsigned)config.depth);
    unsigned depth = unwind_context(context, &self->stack, scratch.frames, scratch.max, &end);
    depth = scratch_drop_own(&scratch, depth);
    if (depth)
        charge(weight, scratch.frames, depth, end);
    else
        ledger_count(LEDGER_STAT_CPU_LOST, weight);
    scratch_close(&scratch);
}

void cpu_sample(unsigned weight, const ucontext_t *context)
{
    struct thread_state *self = &thread_self;
    /* A hook at work since before a raw fork still holds on to its parent's
     * tables: they can't be replaced under it. */
    if (self->guard && gate_phase() != GATE_ACTIVE)
        return;
    bool room = own_signal_has_room(context); /* making the ledger takes as much as a walk */
    if (!room || !gate_active()) {
        if (ledger_exists() && self->epoch == gate_epoch() && gate_phase() == GATE_ACTIVE)
            ledger_count(LEDGER_STAT_CPU_LOST, weight);
        else
            self->cpu_unrecorded += weight;
        self->cpu_signalled += weight;
        return;
    }
    if (self->epoch != gate_epoch() && !gate_thread_setup())
        return;
    self->cpu_signalled += weight;
    /* under a seccomp filter neither a ledger nor a table entry can be made */
    bool sealed = sys_forbidden() && (!ledger_exists() || self->index == 0);
    if (sealed || !gate_ledger()) {
        self->cpu_unrecorded += weight; /* the code that was interrupted is just making it */
        return;
    }
    record(weight + self->cpu_unrecorded, context);
    self->cpu_unrecorded = 0;
    gate_tick();
    /* names change seldom, and mostly early in a thread's life */
    if ((self->cpu_signalled & (self->cpu_signalled - 1)) == 0 || self->cpu_signalled % 64 == 0)
        thread_refresh_name();
}

/* Periods that ended within the thread's life but were never signalled, since
 * no tick came after them. */
static uint64_t unsignalled(const struct thread_state *self)
{
    uint64_t now = sys_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (self->first_ns == 0 || now < self->first_ns || period_ns == 0)
        return 0;
    uint64_t due = (now - self->first_ns) / period_ns + 1;
    return due > self->cpu_signalled ? due - self->cpu_signalled : 0;
}

void cpu_thread_end(uintptr_t start)
{
    struct thread_state *self = &thread_self;
    if (!has_timer(self) || sys_forbidden())
        return;
    sys_call1(SYS_timer_delete, self->timer - 1);
    forget_made(self->tid);
    atomic_fetch_sub(&timers, 1);
    self->timer = 0;
    uint64_t periods = unsignalled(self) + self->cpu_unrecorded;
    if (periods && start && gate_ledger()) {
        uint64_t frame = (uint64_t)module_find(start) << UNWIND_ADDRESS_BITS | start;
        charge(periods, &frame, 1, UNWIND_COMPLETE);
    }
}

void cpu_before_fork(uint64_t *mask)
{
    *mask = 0;
    if (!period_ns || sys_forbidden())
        return;
    uint64_t mine = SIGNAL_BIT(own_signal);
    sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, &mine, mask, sizeof mine);
}

void cpu_after_fork(const uint64_t *mask, bool child)
{
    if (!period_ns || sys_forbidden())
        return;
    struct thread_state *self = &thread_self;
    if (child && (config.follow == CONFIG_FOLLOW_ALL || config.follow == CONFIG_FOLLOW_FORK)) {
        uint32_t tid = (uint32_t)sys_gettid();
        self->cpu_signalled = 0;
        self->first_ns = 0;
        self->cpu_unrecorded = 0;
        self->timer_tid = tid;
        atomic_store(&timers, 0); /* its parent's aren't inherited, timer_create(2) */
        if (made)
            sys_call3(SYS_madvise, made, MADE_MAX * sizeof *made, MADV_DONTNEED);
        long error;
        self->timer = create_timer_on(CLOCK_THREAD_CPUTIME_ID, tid, &error);
        if (self->timer)
            arm_timer(self->timer, (uint64_t)(random_uniform() * (double)period_ns) + 1, 0);
    }
    uint64_t mine = SIGNAL_BIT(own_signal);
    if (!(*mask & mine))
        sys_call4(SYS_rt_sigprocmask, SIG_UNBLOCK, &mine, NULL, sizeof mine);
}

/* The CPU clock of another thread of the process (linux/posix-timers_types.h,
 * MAKE_THREAD_CPUCLOCK with CPUCLOCK_SCHED). */
static clockid_t thread_clock(uint32_t tid)
{
    return (clockid_t)(~tid << 3 | 4 | 2);
}

static void adopt(void *context, uint32_t tid)
{
    if (find_made(tid)) { /* its own: other threads run already if the injector was impatient */
        ++*(size_t *)context;
        return;
    }
    long error;
    uint32_t timer = create_timer_on(thread_clock(tid), tid, &error);
    if (!timer)
        return;
    arm_timer(timer, (uint64_t)(random_uniform() * (double)period_ns) + 1, 0);
    ++*(size_t *)context;
}

bool cpu_note_timers(void)
{
    if (!made)
        made = mappings_map(MADE_MAX * sizeof *made);
    return made != NULL;
}

size_t cpu_adopt_threads(void)
{
    size_t count = 0;
    if (period_ns)
        task_each(adopt, &count);
    return count;
}

void cpu_stop(void)
{
    for (uint32_t n = 0; made && n < MADE_MAX; n++) {
        uint32_t timer = atomic_load(&made[n].timer);
        if (atomic_exchange(&made[n].tid, 0) && timer)
            sys_call1(SYS_timer_delete, timer - 1);
    }
    period_ns = 0;
    atomic_store(&timers, 0);
}
