/*
 * Allocators that are linked into the program, whose functions are called directly: their entries
 * are patched (patch/). Only with LIBPROF_ALLOCATORS=auto. Constructor, with one thread.
 */
#ifndef LIBPROF_HOOKS_LINKED_H
#define LIBPROF_HOOKS_LINKED_H

#include <stdbool.h>

/* jemalloc, mimalloc and tcmalloc under their prefixes. own_malloc: the program also brings a
 * malloc of its own, to which `real` leads already; it then leads to the trampolines. */
void linked_patch(bool own_malloc);

#endif
