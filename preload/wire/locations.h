/*
 * The profile's locations, mappings and synthetic functions: each written into
 * the stream when it is first referred to, with ids 1..N in order of appearance.
 *
 * A location is a frame: address and module together, so that two libraries
 * that lay at the same address at different times stay apart. Mapping 1 is the
 * main program, which readers take for the profile's subject; after it come the
 * modules that samples refer to. The target never symbolizes; the only functions are
 * names in brackets for what has no address.
 *
 * Context: dump context.
 */
#ifndef LIBPROF_WIRE_LOCATIONS_H
#define LIBPROF_WIRE_LOCATIONS_H

#include "wire/reader.h"
#include "wire/string_table.h"

/* What stands in a stack where no address does. */
enum location_synthetic {
    LOCATION_TRUNCATED,    /* [truncated]: there were more callers than LIBPROF_DEPTH */
    LOCATION_INCOMPLETE,   /* [incomplete]: the callers could not be found */
    LOCATION_LOST_SAMPLES, /* [lost samples] */
    LOCATION_NO_STACK,     /* [no stack]: a thread that could not be reached */
    LOCATION_SYNTHETICS
};

struct locations {
    struct arena *arena;
    struct stream *stream;
    struct string_table *strings;
    const struct ledger_view *view;
    struct location_entry *slots; /* power of two of them, at most half full */
    uint32_t size, count;
    uint32_t mapping_count, function_count;
    uint32_t *mapping_ids; /* by module index; 0 = not written yet */
    uint32_t synthetic_ids[LOCATION_SYNTHETICS];
    bool failed;
};

/* Writes the main program's mapping. */
void locations_init(struct locations *locations, struct arena *arena, struct stream *stream,
                    struct string_table *strings, const struct ledger_view *view);

/* The id of a frame's location; 0 after a failure, which `failed` keeps. */
uint64_t locations_id(struct locations *locations, uint64_t frame);

/* The id of a location that stands for no address, such as <unknown>; 0 after a failure. */
uint64_t locations_synthetic_id(struct locations *locations, enum location_synthetic which);

#endif
