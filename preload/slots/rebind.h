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
 * Context: constructor only; rebind_all and rebind_restore as slots.h says.
 */
#ifndef LIBPROF_SLOTS_REBIND_H
#define LIBPROF_SLOTS_REBIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rebind {
    const char *name;  /* the symbol */
    void *replacement; /* libprof's function */
    void *original;    /* the function that the objects call now; NULL: left alone */
    bool bound_only;   /* a slot that is not bound yet may mean another version of it */
};

/*
 * Points the slots for `count` symbols at their replacements, in every object
 * but libprof.so and `owner`'s (any address in the object that defines the
 * originals). Returns how many slots were changed.
 */
size_t rebind_objects(const struct rebind *table, size_t count, const void *owner);

/* Asked before a slot is written; false: it is left alone. */
typedef bool (*rebind_note)(uintptr_t *slot, uintptr_t old);

/*
 * Points the slots of every object but libprof.so's at the replacements, entries without an
 * original excepted. Returns how many were changed. A slot that is not bound yet (lazy
 * binding, ld.so(8)) is taken as well, but for symbols with two versions (hazard 37).
 */
size_t rebind_all(const struct rebind *table, size_t count, rebind_note note);

/* Asked for each slot that holds a replacement: what it is to hold. */
typedef uintptr_t (*rebind_old)(uintptr_t *slot, uintptr_t now);

/* The way back. */
void rebind_restore(const struct rebind *table, size_t count, rebind_old old);

#endif
