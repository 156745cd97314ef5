#include "sample/walk.h"
#include "runtime/config.h"
#include "sample/cpu.h"
#include "sample/recorder.h"
#include "sample/scratch.h"

void walk_answer(const ucontext_t *context)
{
    struct thread_state *self = &thread_self;
    if (self->guard && atomic_load(&recorder_page->phase) != RECORDER_ACTIVE)
        return;
    if (!recorder_active() || !ledger)
        return;
    if (self->epoch != recorder_epoch())
        thread_setup();
    cpu_thread_retry();
    struct ledger_thread *thread = ledger_thread_get(thread_index());
    if (!thread)
        return;
    uint32_t walk = atomic_load(&ledger->walk);
    struct scratch scratch;
    enum unwind_end end;
    scratch_open(&scratch, (unsigned)config.depth);
    unsigned depth = unwind_context(context, &self->stack, scratch.frames, scratch.max, &end);
    atomic_store(&thread->walk_stack, depth ? ledger_stack(scratch.frames, depth, end) : 0);
    scratch_close(&scratch);
    thread_refresh_name();
    atomic_store_explicit(&thread->walk, walk, memory_order_release);
}
