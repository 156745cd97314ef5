/*
 * What the kernel says of the process's memory, for the comments of its
 * profiles: why the heap profile isn't RSS (hazard 51).
 *
 * Context: dump context. Without /proc there is nothing to say.
 */
#ifndef LIBPROF_DUMP_MEMORY_H
#define LIBPROF_DUMP_MEMORY_H

#include <stddef.h>

#define MEMORY_COMMENTS 4

struct memory_comments {
    char status[4096]; /* /proc/self/status, cut into lines */
};

/* Points comments[0..] into memory; returns how many. */
size_t memory_read(struct memory_comments *memory, const char **comments);

#endif
