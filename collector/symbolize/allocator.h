/*
 * Allocators that a program brings along, linked into it: their calls never leave the
 * file, so nothing that is preloaded sees them, and neither does the heap profile.
 */
#ifndef COLLECTOR_SYMBOLIZE_ALLOCATOR_H
#define COLLECTOR_SYMBOLIZE_ALLOCATOR_H

#include <stdbool.h>

struct allocator {
    const char *name;
    /* A language's heap beside malloc, which its programs use as well: worth telling
     * when it is large. The others are there to be malloc. */
    bool beside_malloc;
};

/* What the file's own symbols, or the texts of a stripped program, say. NULL: none is
 * known, or the file can't be read. is_program: the file was executed; a library that exports
 * malloc can be preloaded over, a program can't. Reads the symbol tables, and of a program
 * without a full one its read-only data: up to a tenth of a second for the largest. */
const struct allocator *allocator_inside(const char *path, bool is_program);

#endif
