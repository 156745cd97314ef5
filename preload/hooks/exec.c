/*
 * The exec family: the profiles are written before the process becomes another
 * program, which may get an environment without libprof.so (environment.h).
 *
 * Usual context: a vfork child, or a forked one of a threaded program: nothing
 * here may lock or allocate, a child without a ledger of its own writes nothing,
 * and it isn't made to start the profiler for it (gate_active). posix_spawn is spawn.c's; system
 * and popen exec inside libc: the shell looks after itself (runtime/follow.h).
 */
#include "dump/dump.h"
#include "hooks/environment.h"
#include "hooks/export.h"
#include "kit/sys.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/foreign.h"
#include "runtime/real.h"
#include "runtime/signals.h"
#include "sample/core/gate.h"
#include "sample/core/own_signal.h"
#include "wire/handover.h"

#include <alloca.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* path: NULL when it isn't known which file will be run. */
static void before_exec(const char *path)
{
    if (!real.execve)
        gate_active(); /* resolves it, should this be the process's first hook */
    if (!config.selected)
        return;
    signals_before_exec();
    /* a file that isn't there: the exec fails, the process goes on, no dump needed */
    if (config.at_exit && dump_owns_ledger() &&
        (!path || sys_call3(SYS_faccessat, AT_FDCWD, path, X_OK) == 0))
        dump_run(DUMP_REASON_EXEC);
    /* What it becomes is asked by the collector whose it is: it may be an orphan by then. */
    if (!dump_owns_ledger() && !sys_forbidden())
        handover_vouch(ledger);
    own_signal_before_exec();
}

static int after_failure(int result)
{
    if (config.selected) { /* errno stays: they are raw, or succeed */
        own_signal_after_failed_exec();
        signals_after_failed_exec();
    }
    return result;
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
    before_exec(path);
    struct environment chosen = environment_plan(envp);
    if (chosen.undecided && foreign_is_program(AT_FDCWD, path))
        environment_drop(&chosen);
    char *const *new_environment = environment_make(&chosen, alloca(chosen.room));
    return after_failure(real.execve(path, argv, new_environment));
}

EXPORT int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
    const char *path = strchr(file, '/') ? file : NULL;
    before_exec(path);
    struct environment chosen = environment_plan(envp);
    if (chosen.undecided && foreign_is_found(AT_FDCWD, file))
        environment_drop(&chosen);
    char *const *new_environment = environment_make(&chosen, alloca(chosen.room));
    return after_failure(real.execvpe(file, argv, new_environment));
}

EXPORT int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
    before_exec(NULL);
    struct environment chosen = environment_plan(envp);
    if (chosen.undecided && foreign_is_program(fd, ""))
        environment_drop(&chosen);
    char *const *new_environment = environment_make(&chosen, alloca(chosen.room));
    return after_failure(real.fexecve(fd, argv, new_environment));
}

EXPORT int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
    before_exec(NULL);
    struct environment chosen = environment_plan(envp);
    if (chosen.undecided && foreign_is_program(fd, path))
        environment_drop(&chosen);
    char *const *new_environment = environment_make(&chosen, alloca(chosen.room));
    return after_failure(real.execveat(fd, path, argv, new_environment, flags));
}

/* How many arguments come before the NULL. */
static size_t count_arguments(va_list list)
{
    size_t count = 0;
    while (va_arg(list, char *))
        count++;
    return count;
}

/* `first`, the arguments before the NULL, and the NULL. Leaves the list at what follows it. */
static void copy_arguments(char **array, const char *first, va_list *list)
{
    *array++ = (char *)first;
    while ((*array++ = va_arg(*list, char *)))
        ;
}

EXPORT int execl(const char *path, const char *argument, ...)
{
    va_list list;
    va_start(list, argument);
    char **argv = alloca((count_arguments(list) + 2) * sizeof *argv); /* `argument` and NULL */
    va_end(list);
    va_start(list, argument);
    copy_arguments(argv, argument, &list);
    va_end(list);
    return execve(path, argv, environ);
}

EXPORT int execlp(const char *file, const char *argument, ...)
{
    va_list list;
    va_start(list, argument);
    char **argv = alloca((count_arguments(list) + 2) * sizeof *argv); /* `argument` and NULL */
    va_end(list);
    va_start(list, argument);
    copy_arguments(argv, argument, &list);
    va_end(list);
    return execvpe(file, argv, environ);
}

EXPORT int execle(const char *path, const char *argument, ...)
{
    va_list list;
    va_start(list, argument);
    char **argv = alloca((count_arguments(list) + 2) * sizeof *argv); /* `argument` and NULL */
    va_end(list);
    va_start(list, argument);
    copy_arguments(argv, argument, &list);
    char *const *envp = va_arg(list, char *const *);
    va_end(list);
    return execve(path, argv, envp);
}
