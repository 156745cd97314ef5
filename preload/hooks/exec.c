/*
 * The exec family: the profiles are written before the process becomes another
 * program, which may get an environment without libprof.so (environment.h).
 *
 * Usual context: a vfork child, or a forked one of a threaded program: nothing
 * here may lock or allocate, a child without a ledger of its own writes nothing,
 * and it isn't made to start a recorder for it (gate_active). posix_spawn is spawn.c's; system
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
    char *const *chosen = ENVIRONMENT(envp, foreign_is_program(AT_FDCWD, path));
    return after_failure(real.execve(path, argv, chosen));
}

EXPORT int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
    const char *path = strchr(file, '/') ? file : NULL;
    before_exec(path);
    char *const *chosen = ENVIRONMENT(envp, foreign_is_found(AT_FDCWD, file));
    return after_failure(real.execvpe(file, argv, chosen));
}

EXPORT int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
    before_exec(NULL);
    char *const *chosen = ENVIRONMENT(envp, foreign_is_program(fd, ""));
    return after_failure(real.fexecve(fd, argv, chosen));
}

EXPORT int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
    before_exec(NULL);
    char *const *chosen = ENVIRONMENT(envp, foreign_is_program(fd, path));
    return after_failure(real.execveat(fd, path, argv, chosen, flags));
}

/* The arguments up to the NULL, as an array in the caller's frame; `list` is left
 * at what follows the NULL (execle's environment). */
#define ARGUMENTS(first, list, array)                                                              \
    do {                                                                                           \
        size_t entries = 1;                                                                        \
        va_start(list, first);                                                                     \
        while (va_arg(list, char *))                                                               \
            entries++;                                                                             \
        va_end(list);                                                                              \
        (array) = alloca((entries + 1) * sizeof(char *));                                          \
        (array)[0] = (char *)(first);                                                              \
        va_start(list, first);                                                                     \
        for (size_t at = 1; at <= entries; at++)                                                   \
            (array)[at] = va_arg(list, char *);                                                    \
    } while (0)

EXPORT int execl(const char *path, const char *argument, ...)
{
    va_list list;
    char **argv;

    ARGUMENTS(argument, list, argv);
    va_end(list);
    return execve(path, argv, environ);
}

EXPORT int execlp(const char *file, const char *argument, ...)
{
    va_list list;
    char **argv;

    ARGUMENTS(argument, list, argv);
    va_end(list);
    return execvpe(file, argv, environ);
}

EXPORT int execle(const char *path, const char *argument, ...)
{
    va_list list;
    char **argv, *const *envp;

    ARGUMENTS(argument, list, argv);
    envp = va_arg(list, char *const *);
    va_end(list);
    return execve(path, argv, envp);
}
