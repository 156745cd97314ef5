#include "sample/threads/ask.h"
#include "kit/mappings.h"
#include "kit/sys.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "sample/core/gate.h"
#include "sample/core/own_signal.h"
#include "sample/core/scratch.h"
#include "sample/core/task.h"
#include "sample/core/thread_entry.h"
#include "sample/cpu/cpu.h"
#include "sample/threads/waiting.h"

#include <string.h>

#define DEADLINE_NS UINT64_C(1000000000)
#define NAP_FIRST_NS 100000 /* most threads answer within a tenth of a millisecond */
#define NAP_LONGEST_NS 10000000
#define HANDLER_LOOKS 20 /* 2 ms */

/* Threads that were asked and those that can't be, by id: open addressing. */
struct asked {
    uint32_t tid;
    uint32_t index; /* in the thread table; 0 = not in there */
    bool waited_for;
    struct task_status status;
    uint64_t last_ran;
    struct task_call call;
    uint32_t stack; /* as read from outside; 0 = it answers by itself, or not at all */
};

struct request {
    uint32_t walk;
    uint32_t own_tid;
    int pid;
    uint32_t count, size; /* of `threads` */
    struct asked *threads;
    uint64_t *table; /* tid << 32 | thread index, of the threads that are known */
    uint32_t table_mask;
};

static bool (*is_own)(uint32_t tid);

void ask_set_own(bool (*function)(uint32_t tid))
{
    is_own = function;
}

static uint32_t known_threads(void)
{
    return (uint32_t)(atomic_load(&ledger->sections[LEDGER_THREADS].used) /
                      sizeof(struct ledger_thread));
}

static uint64_t *table_slot(const struct request *request, uint32_t tid)
{
    uint32_t n = tid * 0x9e3779b1u;
    for (;; n++) {
        uint64_t *slot = &request->table[n & request->table_mask];
        if (*slot == 0 || *slot >> 32 == tid)
            return slot;
    }
}

/* Notes where in the thread table each living thread is. */
static void index_threads(struct request *request)
{
    memset(request->table, 0, ((size_t)request->table_mask + 1) * sizeof *request->table);
    uint32_t known = known_threads();
    if (known > request->table_mask / 2)
        known = request->table_mask / 2; /* entered since the table was made */
    for (uint32_t n = 1; n < known; n++) {
        struct ledger_thread *thread = ledger_thread_get(n);
        uint32_t tid = atomic_load(&thread->tid);
        if (tid && atomic_load(&thread->end_ns) == 0)
            *table_slot(request, tid) = (uint64_t)tid << 32 | n; /* the youngest of an id */
    }
    for (uint32_t n = 0; n < request->count; n++)
        request->threads[n].index = (uint32_t)*table_slot(request, request->threads[n].tid);
}

/* One that is just in a handler of ours has our signal blocked for a moment. */
static bool look_again(uint32_t tid, struct task_status *status)
{
    struct timespec nap = {0, NAP_FIRST_NS};
    bool found = true;
    for (int n = 0; n < HANDLER_LOOKS && found && status->state == 'R' &&
                    status->blocked & SIGNAL_BIT(own_signal);
         n++) {
        sys_call2(SYS_nanosleep, &nap, NULL);
        found = task_status(tid, status);
    }
    return found;
}

static void note_thread(void *context, uint32_t tid)
{
    struct request *request = context;
    if (request->count == request->size || tid == request->own_tid || (is_own && is_own(tid)))
        return;
    struct asked *thread = &request->threads[request->count];
    thread->tid = tid;
    if (!task_status(tid, &thread->status) || !look_again(tid, &thread->status))
        return;
    thread->last_ran = task_last_ran(tid);
    task_call(tid, &thread->call);
    request->count++;
}

static void count_thread(void *context, uint32_t tid)
{
    (void)tid;
    ++*(uint32_t *)context;
}

/* Could it take a signal now? */
static bool reachable(const struct task_status *status)
{
    return !strchr("TtZX", status->state) && !(status->blocked & SIGNAL_BIT(own_signal));
}

/* How many of those asked have neither answered nor ended. */
static uint32_t missing(struct request *request, bool look_for_ended)
{
    uint32_t open = 0;
    for (uint32_t n = 0; n < request->count; n++) {
        struct asked *thread = &request->threads[n];
        struct ledger_thread *entry = ledger_thread_get(thread->index);
        if (!thread->waited_for || (entry && atomic_load(&entry->walk) == request->walk))
            continue;
        if (look_for_ended && sys_call3(SYS_tgkill, request->pid, thread->tid, 0) < 0)
            thread->waited_for = false;
        else
            open++;
    }
    return open;
}

static void wait_for_answers(struct request *request)
{
    uint64_t end = sys_clock_ns(CLOCK_MONOTONIC) + DEADLINE_NS;
    struct timespec nap = {0, NAP_FIRST_NS};
    while (missing(request, nap.tv_nsec == NAP_LONGEST_NS) > 0 &&
           sys_clock_ns(CLOCK_MONOTONIC) < end) {
        sys_call2(SYS_nanosleep, &nap, NULL);
        nap.tv_nsec = nap.tv_nsec * 2 < NAP_LONGEST_NS ? nap.tv_nsec * 2 : NAP_LONGEST_NS;
        index_threads(request); /* threads seen for the first time enter themselves */
    }
}

/* Writes what was found about a thread into its entry. */
static void describe(const struct request *request, const struct asked *found, uint64_t now)
{
    uint32_t index = found->index;
    if (index == 0)
        index = ledger_thread(found->tid, 0, found->status.name);
    struct ledger_thread *thread = ledger_thread_get(index);
    if (!thread)
        return;
    bool waits = found->status.state != 'R' && found->last_ran && now > found->last_ran;
    thread->waiting_ns = waits ? now - found->last_ran : 0;
    thread->state = found->status.state;
    thread->syscall = found->call.number;
    memset(thread->wchan, 0, sizeof thread->wchan);
    if (found->stack && atomic_load(&thread->walk) != request->walk) {
        atomic_store(&thread->walk_stack, found->stack);
        memcpy(thread->name, found->status.name, sizeof thread->name);
        atomic_store_explicit(&thread->walk, request->walk, memory_order_release);
    }
    if (atomic_load(&thread->walk) != request->walk) {
        memcpy(thread->name, found->status.name, sizeof thread->name);
        task_wchan(found->tid, thread->wchan, sizeof thread->wchan);
    }
    atomic_store_explicit(&thread->asked, request->walk, memory_order_release);
}

void ask_all_threads(void)
{
    if (!ledger_exists() || !own_signal || sys_forbidden())
        return;
    struct request request = {.pid = sys_getpid(), .own_tid = (uint32_t)sys_gettid()};
    if (!task_each(count_thread, &request.size))
        return;
    request.size += 64; /* started meanwhile */
    uint32_t slots = 1;
    while (slots < 4 * (request.size + known_threads()))
        slots *= 2;
    request.table_mask = slots - 1;
    size_t table_size = slots * sizeof *request.table;
    size_t size = table_size + request.size * sizeof *request.threads;
    char *memory = mappings_map(size);
    if (!memory)
        return;
    request.table = (uint64_t *)(void *)memory;
    request.threads = (struct asked *)(void *)(memory + table_size);
    /* All are looked at before the first is woken. One that waits is read from outside, as far as
     * that goes, and isn't woken if the whole of its stack was found. */
    task_each(note_thread, &request);
    uint64_t now = task_last_ran(request.own_tid);
    request.walk = atomic_fetch_add(&ledger->walk, 1) + 1;
    for (uint32_t n = 0; n < request.count; n++) {
        struct asked *thread = &request.threads[n];
        bool complete;
        thread->stack = waiting_stack(thread->tid, &thread->call, thread->last_ran, &complete);
        thread->waited_for = !complete && reachable(&thread->status) &&
                             waiting_may_be_signalled(&thread->call) &&
                             own_signal_send(thread->tid);
    }
    wait_for_answers(&request);
    index_threads(&request);
    for (uint32_t n = 0; n < request.count; n++)
        describe(&request, &request.threads[n], now);
    mappings_unmap(memory, size);
}

/* Not inlined: its frame is made once there is known to be room. */
static __attribute__((noinline)) uint32_t own_stack(const ucontext_t *context)
{
    struct scratch scratch;
    enum unwind_end end;
    scratch_open(&scratch, (unsigned)config.depth);
    unsigned depth = unwind_context(context, &thread_self.stack, scratch.frames, scratch.max, &end);
    depth = scratch_drop_own(&scratch, depth);
    uint32_t stack = depth ? ledger_stack(scratch.frames, depth, end) : 0;
    scratch_close(&scratch);
    return stack;
}

void ask_answer(const ucontext_t *context)
{
    struct thread_state *self = &thread_self;
    if (self->guard && gate_phase() != GATE_ACTIVE)
        return;
    if (!own_signal_has_room(context) || !gate_active() || !ledger_exists() || self->ended)
        return;
    if (self->epoch != gate_epoch() && !gate_thread_setup())
        return;
    cpu_thread_retry();
    struct ledger_thread *thread = ledger_thread_get(thread_index());
    if (!thread)
        return;
    uint32_t walk = atomic_load(&ledger->walk);
    atomic_store(&thread->walk_stack, own_stack(context));
    thread_refresh_name();
    atomic_store_explicit(&thread->walk, walk, memory_order_release);
}
