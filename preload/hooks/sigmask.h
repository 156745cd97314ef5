/*
 * For the hooks of functions that take a signal mask. Hook context.
 */
#ifndef LIBPROF_HOOKS_SIGMASK_H
#define LIBPROF_HOOKS_SIGMASK_H

#include <signal.h>

/* The set without our signal: `set` itself (may be NULL) where it isn't in it, else *copy. */
const sigset_t *sigmask_strip(const sigset_t *set, sigset_t *copy);

#endif
