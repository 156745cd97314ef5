#include "sample/core/thread.h"
#include "kit/sys.h"
#include "runtime/config.h"
#include "sample/core/handler.h"
#include "sample/core/recorder.h"
#include "sample/cpu/cpu.h"
#include "sample/heap/heap.h"
#include "sample/heap/heap_inuse.h"
#include "sample/locks/contention.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* From ld.so (GLIBC_2.2.5 / 2.17): where the main thread's stack starts. */
extern void *__libc_stack_end;

_Thread_local struct thread_state thread_self = {.heap_left = -1};

/* Planes in use by one thread each: a bit for each plane. The last plane is
 * never owned: it serves all threads that came too late for one of their own.
 * Belongs to one process: a forked child starts from an empty mask. */
static _Atomic(uint64_t) planes_taken; /* high 32 bits: epoch, low 32: mask */

static unsigned shared_plane(void)
{
    return recorder_planes() - 1;
}

static void plane_take(struct thread_state *self)
{
    unsigned shared = shared_plane();
    self->plane = (uint8_t)shared;
    self->plane_owned = false;
    uint64_t old = atomic_load(&planes_taken), wanted;
    unsigned plane;
    do {
        uint32_t mask = old >> 32 == self->epoch ? (uint32_t)old : 0;
        plane = (unsigned)__builtin_ctz(~mask);
        if (plane >= shared)
            return;
        wanted = (uint64_t)self->epoch << 32 | mask | 1u << plane;
    } while (!atomic_compare_exchange_weak(&planes_taken, &old, wanted));
    self->plane = (uint8_t)plane;
    self->plane_owned = true;
}

void thread_end(void)
{
    struct thread_state *self = &thread_self;
    self->ended = true;
    heap_inuse_thread_end();
    contention_thread_end();
    struct ledger_thread *thread =
        self->epoch == recorder_epoch() ? ledger_thread_get(self->index) : NULL;
    if (thread && !handler_sealed()) {
        atomic_store(&thread->cpu_ns, sys_clock_ns(CLOCK_THREAD_CPUTIME_ID));
        atomic_store(&thread->end_ns, sys_clock_ns(CLOCK_REALTIME));
    }
    if (thread && !self->charged)
        ledger_thread_release(self->index);
    self->index = 0;
    if (self->epoch == recorder_epoch())
        unwind_memo_give(self->stack.memo);
    self->stack.memo = NULL;
    if (!self->plane_owned || self->epoch != recorder_epoch())
        return;
    uint64_t bit = UINT64_C(1) << self->plane;
    self->plane_owned = false;
    self->plane = (uint8_t)shared_plane();
    uint64_t old = atomic_load(&planes_taken);
    while (old >> 32 == self->epoch &&
           !atomic_compare_exchange_weak(&planes_taken, &old, old & ~bit))
        ;
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

bool thread_setup(void)
{
    struct thread_state *self = &thread_self;
    if (handler_sealed())
        return false;
    bool ended = self->ended, first = self->epoch == 0;
    self->tid = (uint32_t)sys_gettid();
    self->epoch = recorder_epoch();
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
        thread_uniform(); /* nearby seeds part ways */
    if (ended) {
        self->plane = (uint8_t)shared_plane();
        self->plane_owned = false;
    } else {
        plane_take(self);
    }
    /* A new thread's first gap begins here: the distribution has no memory. */
    if (first)
        self->heap_left = heap_first_gap();
    if (!ended) {
        if (first) { /* what the creator gave way to may come at once */
            bool before = self->masked;
            self->masked = true;
            self->masked = handler_unblock() || before;
        }
        cpu_thread_start(first && self->start);
    }
    return true;
}

static void own_name(char name[LEDGER_THREAD_NAME])
{
    name[0] = '\0';
    if (handler_sealed())
        return;
    sys_call2(SYS_prctl, PR_GET_NAME, name);
    name[LEDGER_THREAD_NAME - 1] = '\0';
}

uint32_t thread_index(void)
{
    struct thread_state *self = &thread_self;
    if (self->index == 0) {
        char name[LEDGER_THREAD_NAME];
        own_name(name);
        self->index = ledger_thread(self->tid, self->creator, name);
    }
    return self->index;
}

void thread_refresh_name(void)
{
    struct ledger_thread *thread = ledger_thread_get(thread_self.index);
    if (!thread || handler_sealed() || thread_self.epoch != recorder_epoch())
        return;
    char name[LEDGER_THREAD_NAME];
    own_name(name);
    memcpy(thread->name, name, sizeof name);
}

/* splitmix64's step: every state leads to a well mixed number. */
double thread_uniform(void)
{
    uint64_t x = thread_self.random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return (double)((x >> 11) + 1) * 0x1p-53;
}

/*
 * ln(u) for u in (0, 1], without libm: the exponent times ln 2, and for the
 * mantissa m in [sqrt(1/2), sqrt(2)) the series of 2 atanh((m-1)/(m+1)), whose
 * argument is at most 0.172: eight terms leave an error below 1e-14.
 */
static double natural_log(double u)
{
    union {
        double number;
        uint64_t bits;
    } x = {u};
    int exponent = (int)(x.bits >> 52) - 1023;
    x.bits = (x.bits & (UINT64_MAX >> 12)) | UINT64_C(1023) << 52;
    if (x.number > 1.4142135623730951) {
        x.number *= 0.5;
        exponent++;
    }
    double s = (x.number - 1) / (x.number + 1), square = s * s, power = s, sum = 0;
    for (int n = 1; n < 16; n += 2, power *= square)
        sum += power / n;
    return 2 * sum + exponent * 0.6931471805599453;
}

int64_t thread_exponential(uint64_t mean)
{
    double gap = -natural_log(thread_uniform()) * (double)mean;
    return gap < 1 ? 1 : (int64_t)gap;
}
