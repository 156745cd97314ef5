/*
 * The exec family: the profiles are written before the process becomes another
 * program, and LIBPROF_FOLLOW=fork|none, or another C library behind the new program,
 * takes libprof.so out of its LD_PRELOAD. The program's own environment and arguments stay as they
 * are; what is changed is a copy on this stack (execve(2): only the kernel reads it).
 *
 * Usual context: a vfork child, or a forked one of a threaded program: nothing
 * here may lock or allocate, a child without a ledger of its own writes nothing,
 * and it isn't made to start a recorder for it (recorder_active). posix_spawn, system and popen
 * exec inside libc: their children look after themselves (runtime/follow.h).
 */
#include "dump/dump.h"
#include "hooks/export.h"
#include "runtime/config.h"
#include "runtime/follow.h"
#include "runtime/real.h"
#include "runtime/signals.h"
#include "runtime/sys.h"
#include "sample/handler.h"
#include "sample/recorder.h"

#include <alloca.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* Room for a changed environment: its array and its LD_PRELOAD string. */
struct environment {
    char **array;
    char *preload;
};

/* path: NULL when it isn't known which file will be run. */
static bool strips(const char *path)
{
    if (!config.selected)
        return false;
    return config.follow == CONFIG_FOLLOW_FORK || config.follow == CONFIG_FOLLOW_NONE ||
           (path && !handler_sealed() && follow_is_foreign(path));
}

static const char *find_preload(char *const *envp)
{
    for (; envp && *envp; envp++)
        if (follow_strip_preload(*envp, NULL))
            return *envp;
    return NULL;
}

static size_t count(char *const *list)
{
    size_t entries = 0;

    while (list && list[entries])
        entries++;
    return entries;
}

/* The environment without libprof.so, in the room given; preload: the string that
 * names it. */
static char *const *without_preload(char *const *envp, const char *preload,
                                    const struct environment *room)
{
    size_t used = 0;

    for (; *envp; envp++) {
        if (*envp != preload) {
            room->array[used++] = *envp;
            continue;
        }
        follow_strip_preload(preload, room->preload);
        if (room->preload[sizeof "LD_PRELOAD=" - 1]) /* other libraries stay */
            room->array[used++] = room->preload;
    }
    room->array[used] = NULL;
    return room->array;
}

/* path: NULL when it isn't known which file will be run. */
static void before_exec(const char *path)
{
    if (!real.execve)
        recorder_active(); /* resolves it, should this be the process's first hook */
    if (!config.selected)
        return;
    signals_before_exec();
    /* a file that isn't there: the exec fails, the process goes on, no dump needed */
    if (config.at_exit && dump_owns_ledger() &&
        (!path || sys_call3(SYS_faccessat, AT_FDCWD, path, X_OK) == 0))
        dump_run(DUMP_REASON_EXEC);
    handler_before_exec();
}

static int after_failure(int result)
{
    if (config.selected) { /* errno stays: they are raw, or succeed */
        handler_after_failed_exec();
        signals_after_failed_exec();
    }
    return result;
}

/* The environment to exec with: envp, or a copy in the caller's frame. */
#define EXEC_ENVIRONMENT(path, envp)                                                               \
    __extension__({                                                                                \
        char *const *given = (envp);                                                               \
        const char *preload = strips(path) ? find_preload(given) : NULL;                           \
        if (preload) {                                                                             \
            struct environment room = {alloca((count(given) + 1) * sizeof(char *)),                \
                                       alloca(strlen(preload) + 1)};                               \
            given = without_preload(given, preload, &room);                                        \
        }                                                                                          \
        given;                                                                                     \
    })

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
    before_exec(path);
    char *const *chosen = EXEC_ENVIRONMENT(path, envp);
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
    char *const *chosen = EXEC_ENVIRONMENT(path, envp);
    return after_failure(real.execvpe(file, argv, chosen));
}

EXPORT int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
    before_exec(NULL);
    char *const *chosen = EXEC_ENVIRONMENT(NULL, envp);
    return after_failure(real.fexecve(fd, argv, chosen));
}

EXPORT int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
    before_exec(NULL);
    char *const *chosen = EXEC_ENVIRONMENT(NULL, envp);
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
