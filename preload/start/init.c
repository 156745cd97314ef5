/*
 * The constructor: the point from which libprof is at work also in a program
 * that allocates nothing. Allocation hooks may have started the profiler before,
 * from another library's constructor.
 */
#include "dump/dump.h"
#include "hooks/allocator.h"
#include "hooks/exit.h"
#include "hooks/signal.h"
#include "runtime/config.h"
#include "sample/core/gate.h"
#include "sample/profiler.h"
#include "sample/threads/ask.h"
#include "start/attach.h"
#include "wire/attach_order.h"

__attribute__((constructor)) static void libprof_init(void)
{
    if (attach_is_injected()) {
        attach_arm();
        return;
    }
    if (!gate_enter())
        return;
    allocator_rebind(); /* inside: what the loader allocates for it isn't the program's */
    gate_leave();
    signal_start();
    exit_start();
    if (config.interval_ns)
        gate_set_tick(dump_tick);
    ask_set_own(dump_is_own_thread);
    dump_thread_walk = ask_all_threads;
    /* A collector wants to know of a process that hasn't done anything yet. */
    if (config.socket[0]) {
        gate_ledger();
        profiler_tell_no_collector();
    }
}
