/*
 * The environment that a new program gets. LIBPROF_FOLLOW=fork|none, or another C library
 * behind the new program, takes libprof.so out of its LD_PRELOAD. The program's own
 * environment stays as it is; what is changed is a copy in the caller's frame (execve(2):
 * only the kernel reads it, and it is done with it when the call returns).
 *
 * Context: hooks, a vfork child too: nothing here locks or allocates; errno stays.
 */
#ifndef LIBPROF_HOOKS_ENVIRONMENT_H
#define LIBPROF_HOOKS_ENVIRONMENT_H

#include "kit/sys.h"
#include <alloca.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The string of an environment that names libprof.so; NULL without one. envp may be NULL. */
const char *environment_preload(char *const *envp);

/* Does LIBPROF_FOLLOW keep libprof.so out of every new program? */
bool environment_ends_here(void);

size_t environment_count(char *const *envp);

/*
 * The environment without libprof.so, in `array` (room for as many entries as envp has, and
 * NULL). preload: the string that names it; its copy needs strlen + 1 bytes at `copy`.
 */
char *const *environment_without(char *const *envp, const char *preload, char **array, char *copy);

/* The environment to exec with: envp, or a copy in the caller's frame. is_foreign: an
 * expression that says whether the program is of another C library; what it takes to tell is
 * spent only where libprof.so would be handed on. */
#define ENVIRONMENT(envp, is_foreign)                                                              \
    __extension__({                                                                                \
        char *const *given = (envp);                                                               \
        const char *preload = environment_preload(given);                                          \
        if (preload && (environment_ends_here() || (!sys_forbidden() && (is_foreign))))            \
            given = environment_without(given, preload,                                            \
                                        alloca((environment_count(given) + 1) * sizeof *given),    \
                                        alloca(strlen(preload) + 1));                              \
        given;                                                                                     \
    })

#endif
