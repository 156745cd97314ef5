#include "sample/threadcreate.h"
#include "kit/mappings.h"
#include "kit/sys.h"
#include "ledger/counter.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/real.h"
#include "sample/core/gate.h"
#include "sample/core/own_signal.h"
#include "sample/core/scratch.h"
#include "sample/core/thread_entry.h"
#include "sample/cpu/cpu.h"
#include "sample/profiler.h"
#include "trace/trace.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>

/* Records in flight at one moment: threads created that haven't run yet. */
#define BIRTHS 4096u

/* From glibc: more rounds of destructors aren't made (pthread_key_create(3)). */
#define LAST_ROUND ((uintptr_t)PTHREAD_DESTRUCTOR_ITERATIONS)

static _Atomic(uintptr_t) births;     /* BIRTHS records */
static _Atomic(uint32_t) births_used; /* records taken for the first time */
static _Atomic(uint64_t) births_free; /* high 32 bits: changes; low 32: first free + 1 */

static pthread_key_t key;
static _Atomic(uint32_t) key_state; /* 0 = not made, 1 = being made, 2 = there, 3 = refused */

static struct thread_birth *birth_table(void)
{
    uintptr_t table = atomic_load_explicit(&births, memory_order_acquire);
    if (!table && !sys_forbidden()) {
        size_t size = BIRTHS * sizeof(struct thread_birth);
        void *mine = mappings_map(size);
        if (mine && atomic_compare_exchange_strong(&births, &table, (uintptr_t)mine))
            table = (uintptr_t)mine;
        else if (mine)
            mappings_unmap(mine, size);
    }
    return (struct thread_birth *)table;
}

static struct thread_birth *birth_take(void)
{
    struct thread_birth *table = birth_table();
    if (!table)
        return NULL;
    uint64_t old = atomic_load(&births_free), wanted;
    uint32_t first;
    do {
        first = (uint32_t)old;
        if (first == 0) {
            uint32_t n = atomic_load(&births_used);
            do {
                if (n >= BIRTHS)
                    return NULL;
            } while (!atomic_compare_exchange_weak(&births_used, &n, n + 1));
            return &table[n];
        }
        /* another thread may have taken it: then `next` is stale and the exchange fails */
        uint32_t next = atomic_load_explicit(&table[first - 1].next, memory_order_relaxed);
        wanted = ((old >> 32) + 1) << 32 | next;
    } while (!atomic_compare_exchange_weak(&births_free, &old, wanted));
    return &table[first - 1];
}

static void birth_give(struct thread_birth *birth)
{
    uint32_t mine = (uint32_t)(birth - birth_table()) + 1;
    uint64_t old = atomic_load(&births_free), wanted;
    do {
        atomic_store_explicit(&birth->next, (uint32_t)old, memory_order_relaxed);
        wanted = ((old >> 32) + 1) << 32 | mine;
    } while (!atomic_compare_exchange_weak(&births_free, &old, wanted));
}

/* The thread is over: its table entry, timer and plane. */
static void ended(void)
{
    struct thread_state *self = &thread_self;
    if (self->ended)
        return;
    if (self->epoch != 0 && self->epoch == gate_epoch() && gate_enter()) {
        cpu_thread_end(self->start);
        thread_refresh_name();
        if (self->index)
            trace_note(LEDGER_TRACE_THREAD_END, self->index, 0, 0);
        profiler_thread_end();
        gate_leave();
    }
}

/* The key's destructor. Other keys' destructors, which may allocate, run before
 * and after ours in every round: in the last one it is time to go. */
static void key_destroyed(void *value)
{
    uintptr_t round = (uintptr_t)value;
    int saved = errno;
    if (round < LAST_ROUND && real.pthread_setspecific(key, (void *)(round + 1)) == 0) {
        errno = saved;
        return;
    }
    ended();
    errno = saved;
}

/* The key comes with the first thread: single-threaded programs have all of theirs. */
static bool key_made(void)
{
    uint32_t expected = 0;
    if (atomic_load_explicit(&key_state, memory_order_acquire) == 2)
        return true;
    if (!real.pthread_key_create || !real.pthread_setspecific ||
        !atomic_compare_exchange_strong(&key_state, &expected, 1))
        return false;
    bool made = real.pthread_key_create(&key, key_destroyed) == 0;
    atomic_store_explicit(&key_state, made ? 2 : 3, memory_order_release);
    return made;
}

bool threadcreate_pending(void)
{
    struct thread_birth *table = (struct thread_birth *)atomic_load(&births);
    uint32_t taken = atomic_load(&births_used), given = 0;
    for (uint32_t n = (uint32_t)atomic_load(&births_free); n && given < taken; given++)
        n = atomic_load_explicit(&table[n - 1].next, memory_order_relaxed);
    return given < taken;
}

void threadcreate_stop(void)
{
    if (atomic_exchange(&key_state, 0) == 2 && real.pthread_key_delete)
        real.pthread_key_delete(key);
}

struct thread_birth *threadcreate_begin(size_t stack_size)
{
    if (!gate_enter())
        return NULL;
    struct thread_birth *birth = key_made() ? birth_take() : NULL;
    if (birth) {
        birth->stack_size = stack_size;
        birth->believes_blocked = thread_self.believes_blocked;
        birth->creator = birth->site = 0;
        birth->epoch = gate_epoch();
    }
    if (birth && config.profiles & 1u << CONFIG_THREADCREATE && gate_ledger()) {
        struct scratch scratch;
        enum unwind_end end;
        scratch_open(&scratch, (unsigned)config.depth);
        unsigned depth = unwind_here(&thread_self.stack, scratch.frames, scratch.max, &end);
        if (depth) {
            birth->site = ledger_site(LEDGER_KIND_THREADCREATE, 0, scratch.frames, depth, end);
            birth->creator = ledger_stack(scratch.frames, depth, end);
        }
        scratch_close(&scratch);
    }
    gate_leave();
    return birth;
}

void threadcreate_done(uint32_t site)
{
    if (!site || !gate_enter())
        return;
    struct ledger_counter *counter = ledger_counter(thread_self.plane, site);
    if (counter)
        thread_add(&counter->count, 1);
    trace_note(LEDGER_TRACE_CREATE, thread_index(), site, 0);
    gate_leave();
}

void threadcreate_failed(struct thread_birth *birth)
{
    birth_give(birth);
}

/* Where the thread's stack lies. glibc puts the thread's control block (2.3 KiB), at
 * which the thread pointer points, on top of the stack, whoever supplied it, and
 * the guard, a page unless the program says otherwise, at the low end of its size. */
static void note_stack(size_t size)
{
    const size_t guard = 4096 + 2048;
    struct unwind_stack *stack = &thread_self.stack;
    stack->high = (uintptr_t)__builtin_thread_pointer();
    stack->low = size > guard && size < stack->high ? stack->high - size + guard : 0;
    stack->low &= ~(uintptr_t)4095; /* the guard is whole pages, the size needn't be */
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (here >= stack->high || here < stack->low)
        stack->low = stack->high = 0;
}

static void set_up(const struct thread_birth *birth)
{
    struct thread_state *self = &thread_self;
    if (birth->stack_size)
        note_stack(birth->stack_size);
    self->start = birth->start.routine;
    self->believes_blocked = birth->believes_blocked;
    if (!gate_enter()) /* sets the thread up, timer and all */
        return;
    if (birth->creator && birth->epoch == gate_epoch())
        self->creator = birth->creator;
    if (real.pthread_setspecific(key, (void *)1) != 0)
        cpu_thread_end(0); /* its end wouldn't be noticed, and the timer outlive it */
    if (ledger_exists())
        trace_note(LEDGER_TRACE_THREAD_BEGIN, thread_index(), 0, 0);
    gate_leave();
}

struct thread_start threadcreate_born(struct thread_birth *record)
{
    struct thread_birth birth = *record;
    birth_give(record);
    set_up(&birth);
    return birth.start;
}

/* Would our signal be blocked as well without us? The thread inherits the mask of one of libc's,
 * out of which our signal was taken: it was blocked there if all others are that can be. */
static bool blocks_all_others(void)
{
    uint64_t libc_own = SIGNAL_BIT(32) | SIGNAL_BIT(33); /* SIGCANCEL, SIGSETXID (nptl(7)) */
    uint64_t never = SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP) | libc_own;
    uint64_t mask = 0;
    sys_call4(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof mask);
    return own_signal && (mask | never | SIGNAL_BIT(own_signal)) == UINT64_MAX;
}

void threadcreate_born_by_libc(const struct thread_birth *record)
{
    struct thread_birth birth = *record;
    birth.believes_blocked = thread_self.believes_blocked || blocks_all_others();
    set_up(&birth);
    if (birth.epoch == gate_epoch())
        threadcreate_done(birth.site);
}
