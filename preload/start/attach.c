#include "start/attach.h"
#include "dump/dump.h"
#include "hooks/exit.h"
#include "hooks/signal.h"
#include "kit/mappings.h"
#include "kit/sys.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/object.h"
#include "runtime/real.h"
#include "sample/core/gate.h"
#include "sample/core/own_signal.h"
#include "sample/cpu/cpu.h"
#include "sample/heap/heap.h"
#include "sample/locks/contention.h"
#include "sample/profiler.h"
#include "sample/threadcreate.h"
#include "sample/threads/ask.h"
#include "slots/slots.h"
#include "wire/attach_order.h"

#include <string.h>

static void refuse(const char *reason)
{
    strncpy(attach_order.reason, reason, sizeof attach_order.reason - 1);
    attach_order.state = ATTACH_REFUSED;
}

static int find_defining(struct dl_phdr_info *info, size_t size, void *arg)
{
    const void **function_and_object = arg;
    if (!object_contains(info, function_and_object[0]))
        return 0;
    function_and_object[1] = info->dlpi_phdr;
    return 1;
}

/* The object that a function lies in; NULL: unknown. */
static const void *object_of(const void *function)
{
    const void *function_and_object[2] = {function, NULL};
    dl_iterate_phdr(find_defining, function_and_object);
    return function_and_object[1];
}

static int is_first(struct dl_phdr_info *info, size_t size, void *arg)
{
    *(const void **)arg = info->dlpi_phdr;
    return 1;
}

/* Is the allocator the program's own, which calls itself without a slot (hazard 14)? */
static void look_at_allocator(void)
{
    const void *program = NULL, *owner = object_of((const void *)(uintptr_t)real.malloc);
    dl_iterate_phdr(is_first, &program);
    heap_own_malloc = owner == program;
}

/* A sanitizer's run-time system keeps its own account of memory and of threads. */
static bool has_sanitizer(void)
{
    static const char names[] = "__asan_init\0__tsan_init\0__msan_init\0";
    void *first[3];
    object_first_definitions(names, first);
    return first[0] || first[1] || first[2];
}

static void detach(void);
static void arm_again(void);

void attach_arm(void)
{
    if (has_sanitizer()) {
        refuse("it has a sanitizer's allocator");
        return;
    }
    if (!cpu_note_timers() || !gate_enter()) {
        refuse("LIBPROF_ONLY or LIBPROF_FOLLOW excludes it, or there is no memory for tables");
        return;
    }
    look_at_allocator();
    if (!gate_ledger()) {
        gate_leave();
        profiler_stop();
        refuse("there is no memory for the profile tables");
        return;
    }
    attach_order.slots = slots_take();
    attach_order.threads = cpu_adopt_threads();
    gate_leave();
    signal_start_dumps();
    exit_start_injected();
    ask_set_own(dump_is_own_thread);
    dump_thread_walk = ask_all_threads;
    attach_order.detach = (uintptr_t)detach;
    attach_order.arm = (uintptr_t)arm_again;
    attach_order.signal = (uint64_t)own_signal;
    attach_order.state = ATTACH_ARMED;
}

/* With all other threads stopped. Some may return into hooks later: what those look at stays. */
static void detach(void)
{
    if (attach_order.state == ATTACH_ARMED) {
        slots_give_back();
        config.at_exit = 0;
        profiler_stop();
        cpu_stop();
        if (ledger_exists())
            ledger->asked_by = 0; /* nobody may ask by our signal any more */
        attach_order.state = ATTACH_DISARMED;
        return;
    }
    signal_stop();
    threadcreate_stop();
    attach_order.pending = threadcreate_pending();
    attach_order.state = ATTACH_DETACHED;
}

/* The library had stayed, inert. */
static void arm_again(void)
{
    attach_order.slots = attach_order.threads = attach_order.reported = 0;
    attach_order.reason[0] = '\0';
    profiler_restart();
    attach_arm();
}

/* The loader takes the library out: no thread is in it. */
__attribute__((destructor)) static void unload(void)
{
    if (!attach_is_injected() || attach_order.state == ATTACH_ARMED)
        return;
    ledger_drop();
    mappings_unmap_all();
}
