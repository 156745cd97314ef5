/*
 * The functions of a profile's stacks, numbered, with inlined ones expanded: what
 * the exports walk instead of locations.
 *
 * A *frame* is a function; a *site* is one place in it (an address and a line).
 * Every location has at least one site: where symbols are missing it belongs to a
 * frame named after the object ("[libc.so.6]", "<unknown>"), as in pprof.
 */
#ifndef COLLECTOR_EXPORT_FRAMES_H
#define COLLECTOR_EXPORT_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"

/* When two sites are in the same frame. */
enum frames_identity {
    FRAMES_BY_NAME,  /* name and object: what a flame graph shows */
    FRAMES_BY_PLACE, /* source file too: what a listing needs */
};

struct frame {
    const char *name;   /* never empty; may hold any byte */
    const char *file;   /* source file, "" if unknown; of the first site if BY_NAME */
    const char *object; /* executable or library, "" if unknown */
    int64_t line;       /* where the function starts, else the lowest seen; 0: unknown */
    uint64_t address;   /* the lowest one seen */
    uint32_t mapping;   /* index + 1 of the first site's mapping, 0: none */
    bool named;         /* false: named after its object for want of a symbol */
};

struct frame_site {
    uint32_t frame;
    uint32_t line;    /* 0: unknown; larger ones than readers can take are 0 */
    uint64_t address; /* run-time, until link_address_resolve() */
    bool inlined;     /* into the next site of the same location */
};

struct frames {
    struct frame *list;
    size_t n;
    struct frame_site *sites; /* those of a location follow each other, innermost first */
    size_t n_sites;
    uint32_t *first; /* by location id - 1: its first site; one more ends the last */
    void *pool;      /* private: strings made here */
};

/* The profile must stay as it is while the frames live. Its locations must be fewer
 * than 2^31 with their inlined functions (reading is bounded far below that). */
struct frames *frames_new(const struct profile *p, enum frames_identity identity);
/* NULL is fine. */
void frames_free(struct frames *f);

/* The sites of a sample's stack, root first. */
struct frame_stack {
    uint32_t *sites;
    size_t n;
    size_t room;
};

/* Overwrites *stack; start with a zeroed one and free(stack->sites) in the end. */
void frames_expand(const struct frames *f, const struct profile_sample *s,
                   struct frame_stack *stack);

/* The last part of a path. */
const char *frames_base_name(const char *path);

#endif
