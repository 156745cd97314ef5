/* Interpreted frames in a native stack. */
#ifndef COLLECTOR_INTERP_MERGE_H
#define COLLECTOR_INTERP_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "interp/python.h"
#include "profile/profile.h"

/* Python frames that were met, each by a number that stands for it in a stack of addresses. */
struct merge;

struct merge *merge_new(struct python *python); /* python may be NULL: nothing is merged */
/* Also closes the struct python. */
void merge_free(struct merge *merge);

/* Does the process run Python code that can be read? */
bool merge_has_python(const struct merge *merge);

/*
 * Replaces the native frames that run Python code, innermost first, by the Python frames. depth: of
 * the stack; 0 for a thread that runs, whose Python frames are then all there is. Returns the new
 * depth, at most `max`; the old one where the two do not agree.
 */
size_t merge_python(struct merge *merge, pid_t tid, uint64_t *frames, size_t depth, size_t max);

/* The profile's location for a number that stands for a Python frame; NULL: it is an address. */
struct profile_location *merge_location(struct merge *merge, struct profile *p, uint64_t frame);

#endif
