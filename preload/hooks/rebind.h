/*
 * Making other objects' calls come to libprof where symbol order alone doesn't:
 *
 *   - another allocator stands before libprof.so in the search order (preloaded
 *     first, or part of the program): its malloc wins every look-up;
 *   - an allocator behind libprof.so brings its own C++ operators, which don't go
 *     through malloc (jemalloc, tcmalloc, mimalloc do; libstdc++'s go through it).
 *
 * The slots through which each loaded object calls those functions (its GOT, and
 * pointers in its data) are pointed at libprof's. Objects loaded later keep
 * calling the allocator directly: their blocks aren't seen, and nothing breaks.
 *
 * Context: constructor only.
 */
#ifndef LIBPROF_HOOKS_REBIND_H
#define LIBPROF_HOOKS_REBIND_H

#include <stddef.h>

struct rebind {
    const char *name;  /* the symbol */
    void *replacement; /* libprof's function */
    void *original;    /* the function that the objects call now */
};

/*
 * Points the slots for `count` symbols at their replacements, in every object
 * but libprof.so and `owner`'s (any address in the object that defines the
 * originals). Returns how many slots were changed.
 */
size_t rebind_objects(const struct rebind *table, size_t count, const void *owner);

/* Does both arrangements described above, if this process has them. */
void rebind_allocator(void);

#endif
