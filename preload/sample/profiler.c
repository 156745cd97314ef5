#include "sample/profiler.h"
#include "kit/sys.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/follow.h"
#include "runtime/log.h"
#include "runtime/program.h"
#include "runtime/real.h"
#include "sample/core/gate.h"
#include "sample/core/own_signal.h"
#include "sample/core/planes.h"
#include "sample/core/random.h"
#include "sample/core/scratch.h"
#include "sample/cpu/cpu.h"
#include "sample/dispatch.h"
#include "sample/heap/heap.h"
#include "sample/heap/heap_inuse.h"
#include "sample/locks/contention.h"
#include "unwind/unwind.h"
#include "wire/attach_order.h"
#include "wire/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

/* From ld.so (GLIBC_2.2.5 / 2.17): where the main thread's stack starts. */
extern void *__libc_stack_end;

static bool resolved;   /* `real` is filled; so it is in children */
static bool configured; /* `config` is, too */
static bool restarted;  /* this start is profiler_restart's, not a forked child's */

void profiler_after_fork(void)
{
    if (gate_page_is_wiped() || !gate_page)
        return;
    uint32_t phase = gate_phase();
    gate_reset(phase == GATE_ACTIVE ? GATE_NEW : phase);
    heap_forget();
}

void profiler_stop(void)
{
    atomic_store(&gate_page->phase, GATE_INERT);
    heap_start(false);
    contention_start(false);
}

void profiler_restart(void)
{
    configured = false;
    restarted = true;
    planes_start(LEDGER_PLANES_MAX);
    heap_forget();
    gate_reset(GATE_NEW);
}

static unsigned processors(void)
{
    uint64_t mask[16] = {0}; /* sched_setaffinity(2): 1024 processors */
    unsigned count = 0;
    sys_call3(SYS_sched_getaffinity, 0, sizeof mask, mask);
    for (unsigned n = 0; n < sizeof mask / sizeof *mask; n++)
        for (uint64_t bits = mask[n]; bits; bits &= bits - 1)
            count++;
    return count ? count : 1;
}

static void complain(const char *line)
{
    /* the log level is the first thing that config_init settles */
    log_init((enum log_level)config.log);
    log_line(LOG_WARN, "%s", line);
}

/* Does valgrind run the program? It preloads a library of its own. */
static bool is_under_valgrind(void)
{
    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, "LD_PRELOAD=", 11) == 0)
            return strstr(*variable, "/vgpreload_") != NULL;
    return false;
}

/* First start in this memory image. False: too early, libc has no environment yet. */
static bool configure(void)
{
    if (configured)
        return true;
    if (!environ)
        return false;
    /* setuid and the like: inert (ld.so(8)); who could inject could do anything */
    if (attach_is_injected() || !getauxval(AT_SECURE))
        config_init(attach_is_injected() ? attach_environment() : environ, program_path,
                    (const char *)getauxval(AT_EXECFN), complain);
    if (config.selected) {
        log_init((enum log_level)config.log);
        /* Where a signal's frame would be the first in its page of the main stack, valgrind
         * (3.19) ends the program instead: with a timer that is a matter of time. */
        if (config.cpu_hz && is_under_valgrind()) {
            config.cpu_hz = 0;
            log_line(LOG_VERBOSE, "under valgrind: no CPU profile");
        }
        unwind_init((enum unwind_engine)config.unwinder);
        /* Exact mode is for measuring and gets every plane. Otherwise events are
         * rare, and planes cost memory: one for each processor and a shared one. */
        if (config.heap_rate != 1)
            planes_start(processors() + 1);
    }
    configured = true;
    return true;
}

/* A fork's child follows its parent unless it was told not to. */
static bool follows(bool child)
{
    return config.selected &&
           (!child || config.follow == CONFIG_FOLLOW_ALL || config.follow == CONFIG_FOLLOW_FORK);
}

static bool profiler_start(void)
{
    if (!resolved) {
        real_resolve(attach_is_injected());
        resolved = true;
    }
    if (!configure()) {
        atomic_store(&gate_page->phase, GATE_NEW);
        return false;
    }
    bool again = gate_epoch_now > 0, child = again && !restarted;
    restarted = false;
    uint32_t phase = GATE_INERT;
    /* A sandbox's child can't be given tables of its own. */
    if (follows(child) && !sys_forbidden()) {
        if (again) {
            if (ledger)
                handover_inherit(ledger);
            ledger_drop(); /* a forked child's view of its parent's */
            unwind_after_fork_child();
            scratch_reset();
        }
        gate_map_page();
        atomic_fetch_add(&gate_epoch_now, 1);
        phase = GATE_ACTIVE;
    }
    heap_start(phase == GATE_ACTIVE);
    contention_start(phase == GATE_ACTIVE);
    dispatch_start(phase == GATE_ACTIVE);
    cpu_start(phase == GATE_ACTIVE);
    atomic_store_explicit(&gate_page->phase, phase, memory_order_release);
    return phase == GATE_ACTIVE;
}

/* The arguments, each with its NUL, as far as they fit. Not a problem without /proc. */
static size_t read_cmdline(char *buffer, size_t size)
{
    long file = sys_call4(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
    if (file < 0)
        return 0;
    long length = sys_call3(SYS_read, file, buffer, size);
    sys_call1(SYS_close, file);
    return length > 0 ? (size_t)length : 0;
}

/* -errno of the hello; 0: it was said, or there is nobody to say it to. */
static int no_collector;

/* A collector that doesn't run at the moment is no mistake. */
void profiler_tell_no_collector(void)
{
    int error = no_collector;
    bool mistaken = error == -ENOENT || error == -ENOTDIR || error == -EACCES;
    if (error)
        log_line(mistaken && !follow_parent_is_profiled() ? LOG_WARN : LOG_VERBOSE,
                 "no collector at %s (LIBPROF_SOCKET)%s: profiles go to LIBPROF_DIR", config.socket,
                 error == -EACCES ? ", or it is another user's" : "");
}

static bool profiler_make_ledger(void)
{
    char cmdline[1024];
    struct ledger_settings settings = {
        .max_memory = config.max_memory,
        .heap_rate = config.heap_rate,
        .cpu_period_ns = config.cpu_hz ? 1000000000 / config.cpu_hz : 0,
        .block_rate_ns = config.block_rate_ns,
        .mutex_fraction = config.mutex_fraction,
        .trace_memory = config.trace_memory,
        .trace_armed = config.trace != 0,
        .planes = planes_count(),
        .own_malloc = heap_own_malloc,
        .linked_functions = heap_linked,
        .asked_by = (unsigned)own_signal,
        .dir = config.dir,
        .exe = program_path(),
        .program = program_name(),
        .cmdline = cmdline,
        .cmdline_size = read_cmdline(cmdline, sizeof cmdline),
    };
    int file = -1;
    unwind_set_program(settings.exe);
    bool made = ledger_create(&settings, &file);
    if (made && file >= 0 && attach_is_injected())
        sys_call2(SYS_getpriority, ATTACH_FETCH_LEDGER, file);
    if (made && config.socket[0]) {
        no_collector = handover_ledger(file, ledger->size, settings.exe);
        if (attach_is_injected())
            attach_order.reported = !no_collector;
    }
    if (file >= 0)
        sys_call1(SYS_close, file);
    if (!made)
        log_line(LOG_WARN, "no memory for the profile tables: nothing is recorded");
    return made;
}

/* Limits of the main thread's stack. Below the stack pointer it may not be
 * grown yet, but a walk only goes up from there. The kernel keeps at least
 * 128 MiB below the stack free of other mappings (mmap_base, arch/x86/mm/mmap.c). */
static void main_stack(struct unwind_stack *stack)
{
    const uintptr_t gap = 128u << 20;
    struct rlimit limit = {gap, gap};
    sys_call4(SYS_prlimit64, 0, RLIMIT_STACK, NULL, &limit);
    uintptr_t size = limit.rlim_cur < gap ? limit.rlim_cur : gap;
    stack->high = ((uintptr_t)__libc_stack_end + 4095) & ~(uintptr_t)4095;
    stack->low = stack->high > size ? stack->high - size : 0;
}

static bool profiler_set_up_thread(void)
{
    struct thread_state *self = &thread_self;
    bool ended = self->ended, first = self->epoch == 0;
    self->tid = (uint32_t)sys_gettid();
    self->epoch = gate_epoch();
    self->index = 0;
    self->charged = false;
    self->last_block = NULL;
    self->heap_pending = 0;
    self->vforked = false;
    self->stack.memo = config.heap_rate == 1 && !ended ? unwind_memo_take() : NULL;
    self->waits_in = NULL; /* in a forked child: its parent's table is forgotten */
    if (self->tid == (uint32_t)sys_getpid() && self->stack.high == 0)
        main_stack(&self->stack);
    uint64_t seed = config.seed ? config.seed * UINT64_C(0x9e3779b97f4a7c15) + self->tid
                                : sys_clock_ns(CLOCK_MONOTONIC) ^ (uintptr_t)self * 3 ^
                                      (uint64_t)self->tid << 40;
    if (config.seed && self->tid == (uint32_t)sys_getpid())
        seed = config.seed; /* a repeatable run: the main thread's stream has no tid in it */
    self->random = seed ? seed : 1;
    for (int n = 0; n < 4; n++)
        random_uniform(); /* nearby seeds part ways */
    if (ended) {
        planes_share(self);
    } else {
        planes_take(self);
    }
    /* A new thread's first gap begins here: the distribution has no memory. */
    if (first)
        self->heap_left = heap_first_gap();
    if (!ended) {
        if (first) { /* what the creator gave way to may come at once */
            bool before = self->believes_blocked;
            self->believes_blocked = true;
            self->believes_blocked = own_signal_unblock() || before;
        }
        cpu_thread_start(first && self->start);
    }
    return true;
}

void profiler_thread_end(void)
{
    struct thread_state *self = &thread_self;
    self->ended = true;
    heap_inuse_thread_end();
    contention_thread_end();
    struct ledger_thread *thread =
        self->epoch == gate_epoch() ? ledger_thread_get(self->index) : NULL;
    if (thread && !sys_forbidden()) {
        atomic_store(&thread->cpu_ns, sys_clock_ns(CLOCK_THREAD_CPUTIME_ID));
        atomic_store(&thread->end_ns, sys_clock_ns(CLOCK_REALTIME));
    }
    if (thread && !self->charged)
        ledger_thread_release(self->index);
    self->index = 0;
    if (self->epoch == gate_epoch())
        unwind_memo_give(self->stack.memo);
    self->stack.memo = NULL;
    planes_give(self, self->epoch == gate_epoch());
}

const struct gate_slow gate_slow = {
    .start = profiler_start,
    .make_ledger = profiler_make_ledger,
    .set_up_thread = profiler_set_up_thread,
};
