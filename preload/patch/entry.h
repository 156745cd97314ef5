/* Redirecting a function at its entry. Context: constructor, with one thread. */
#ifndef LIBPROF_PATCH_ENTRY_H
#define LIBPROF_PATCH_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry {
    uint8_t *function; /* in the program's text */
    uint64_t size;     /* bytes of it */
    const void *hook;  /* where it is to lead */
    void **original;   /* becomes the way to the function as it was */
};

/*
 * Redirects all of them or none. False: one of them cannot be moved, the process has more threads
 * than one, or memory beside the program, or its text, cannot be had: then nothing was changed and
 * the pointers are as they were.
 */
bool entry_patch(const struct entry *entries, size_t count);

#endif
