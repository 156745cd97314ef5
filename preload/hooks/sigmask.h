/*
 * For the hooks of functions that take a signal mask. Hook context.
 */
#ifndef LIBPROF_HOOKS_SIGMASK_H
#define LIBPROF_HOOKS_SIGMASK_H

#include <signal.h>
#include <stdbool.h>

/* The set without our signal: `set` itself (may be NULL) where it isn't in it, else *copy. */
const sigset_t *sigmask_strip(const sigset_t *set, sigset_t *copy);

/*
 * Around a call for whose time the program sets this mask (NULL: none): gives what to hand
 * on, as sigmask_strip, and notes what the program believes meanwhile. *before is sigmask_leave's.
 */
const sigset_t *sigmask_enter(const sigset_t *set, sigset_t *copy, bool *before);
void sigmask_leave(bool before);

#endif
