/*
 * Functions that not every glibc has, or has in another library. A reference to one, even a weak
 * one, would need its symbol version, and an older loader refuses a library that does; so they are
 * looked up.
 *
 * Context: start only (objects must not be unloaded meanwhile).
 */
#ifndef LIBPROF_RUNTIME_OPTIONAL_H
#define LIBPROF_RUNTIME_OPTIONAL_H

/* The first definition in load order of a function of at most 27 letters, or NULL. */
void *optional_function(const char *name);

/* __libc_single_threaded (glibc 2.32): while it is not 0 the process has one thread. Never NULL: of
 * an older libc it is an eternal 0. */
const char *optional_single_threaded(void);

#endif
