/*
 * dlopen, dlmopen and dlsym of a program that libprof was attached to. They search relative to
 * their caller (hazard 38), so the hooks are tail jumps: they do not become the caller.
 * What dlopen loads calls the real functions until somebody looks: the program's next
 * dlsym or dlopen does.
 */
#ifndef LIBPROF_SLOTS_LOADING_H
#define LIBPROF_SLOTS_LOADING_H

#include "slots/rebind.h"

#define LOADING_FUNCTIONS 3

/* Fills in their entries of the table of slots. loaded: called in the program's thread when
 * objects may have been loaded since the last time. Constructor only. */
void loading_functions(struct rebind table[LOADING_FUNCTIONS], void (*loaded)(void));

#endif
