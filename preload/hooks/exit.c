/*
 * The ways out: exit (and return from main), quick_exit, _exit and _Exit each
 * leave the profiles behind. abort and crashes don't come by here: nothing is
 * done in a process that has lost its footing (hazard 40).
 */
#include "hooks/exit.h"

#include "dump/dump.h"
#include "hooks/export.h"
#include "kit/sys.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/real.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* cxxabi: registers with no object to belong to, so that no dlclose runs it. */
extern int __cxa_atexit(void (*function)(void *), void *argument, void *object);

static _Atomic(uint32_t) dumped_pid; /* the process whose last dump is done */

/* Only a process with a ledger of its own has something to leave: a forked child
 * that goes straight to _exit, or a vfork child, passes through (dump.h). */
static void last_dump(void)
{
    /* first what most processes end with, without a look at another page of code */
    if (!ledger_exists() || !config.selected || !config.at_exit || !dump_owns_ledger())
        return;
    if (atomic_exchange(&dumped_pid, (uint32_t)sys_getpid()) != (uint32_t)sys_getpid())
        dump_run(DUMP_REASON_EXIT);
    else
        dump_wait(); /* another thread is at it: its files would be cut off */
}

static void at_exit(void *argument)
{
    last_dump();
}

void exit_start(void)
{
    /* Handlers run last in, first out, and the loader's (all destructors) is
     * registered after the constructors, by __libc_start_main: ours comes after
     * the program's handlers and after every destructor (hazard 48). */
    __cxa_atexit(at_exit, NULL, NULL);
    (void)at_quick_exit(last_dump);
}

extern void *__dso_handle __attribute__((visibility("hidden"))); /* Itanium C++ ABI 3.3.6.3 */

void exit_start_injected(void)
{
    static bool registered;
    if (registered)
        return;
    registered = true;
    __cxa_atexit(at_exit, NULL, &__dso_handle);
}

static _Noreturn void leave(int status)
{
    last_dump();
    if (real._exit)
        real._exit(status);
    for (;;) /* called before anything was resolved */
        sys_call1(SYS_exit_group, status);
}

EXPORT void _exit(int status)
{
    leave(status);
}

EXPORT void _Exit(int status)
{
    leave(status);
}
