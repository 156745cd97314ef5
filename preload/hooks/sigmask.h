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
 * A call for whose time the program sets the mask in the variable `mask` (NULL: none): what the
 * program believes meanwhile is noted, and the call is given the mask as sigmask_strip gives it.
 */
#define UNDER_MASK(mask, call)                                                                     \
    __extension__({                                                                                \
        sigset_t copy_;                                                                            \
        bool before_;                                                                              \
        (mask) = sigmask_enter((mask), &copy_, &before_);                                          \
        __typeof__(call) under_ = (call);                                                          \
        sigmask_leave(before_);                                                                    \
        under_;                                                                                    \
    })

/* May our signal be kept out of a wait for signals? Not where the program handles its number. */
bool sigmask_shuts_out(void);

/* UNDER_MASK's. *before is what sigmask_leave wants. */
const sigset_t *sigmask_enter(const sigset_t *set, sigset_t *copy, bool *before);
void sigmask_leave(bool before);

#endif
