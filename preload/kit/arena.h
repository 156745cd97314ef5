/*
 * Memory for one piece of work (a dump): handed out in order from raw mmap,
 * given back as a whole. libprof never allocates from the program's malloc.
 *
 * Context: AS-safe; an arena belongs to one thread at a time.
 */
#ifndef LIBPROF_KIT_ARENA_H
#define LIBPROF_KIT_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t total;               /* bytes mapped */
    size_t limit;               /* bytes that may be mapped; 0 = no limit */
};

/* Zeroed, aligned to 16 bytes; NULL when the system or the limit says no.
 * Owned by the arena. */
void *arena_alloc(struct arena *arena, size_t size);

/* Everything handed out becomes invalid; the arena is empty and usable again. */
void arena_release(struct arena *arena);

#endif
