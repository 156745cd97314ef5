/*
 * Has the loader relocated libprof.so? It relocates the objects of a program one by one, ours
 * nearly last, and an IFUNC resolver of an object before us may call a function that we
 * interpose. Until then no pointer of ours is right, no function of another object can be
 * called, and thread_self is not there: hooks must do without (ELF gABI, "Dynamic Linking";
 * GNU_IFUNC). There is one thread at that time.
 */
#ifndef LIBPROF_RUNTIME_RELOCATED_H
#define LIBPROF_RUNTIME_RELOCATED_H

#include <stdbool.h>

/* Its own address, which only the loader can write there. */
extern const void *volatile relocated_self __attribute__((visibility("hidden")));

static inline bool is_relocated(void)
{
    return relocated_self == (const void *)&relocated_self;
}

#endif
