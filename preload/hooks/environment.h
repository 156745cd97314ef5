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

#include <alloca.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * What a new program is to get:
 *
 *     struct environment chosen = environment_plan(envp);
 *     if (chosen.undecided && foreign_is_program(AT_FDCWD, path))
 *         environment_drop(&chosen);
 *     char *const *new_environment = environment_make(&chosen, alloca(chosen.room));
 *     real.execve(path, argv, new_environment);
 */
struct environment {
    char *const *given;  /* may be NULL */
    const char *preload; /* its string that names libprof.so; NULL: none */
    size_t room;         /* bytes for the copy; 0: it is handed on as it is */
    bool undecided;      /* libprof.so stays, unless the program is of another C library */
};

/* What is to become of an environment. given: borrowed until the call is made; may be NULL. */
struct environment environment_plan(char *const *given);

/* libprof.so is to go. preload isn't NULL. */
void environment_drop(struct environment *environment);

/* The environment to hand on: the one given, or its copy at `memory` (room bytes, aligned as
 * alloca(3) does). */
char *const *environment_make(const struct environment *environment, void *memory);

#endif
