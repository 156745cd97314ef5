/*
 * Where an encoded profile goes: a file of the directory, a collector's socket,
 * a buffer of a test. Whoever makes a sink embeds this as its first member.
 */
#ifndef LIBPROF_WIRE_SINK_H
#define LIBPROF_WIRE_SINK_H

#include <stdbool.h>
#include <stddef.h>

struct sink {
    /* Takes all of it, or returns false and notes why in `error`; isn't called
     * again after that. Dump context. */
    bool (*write)(struct sink *sink, const void *bytes, size_t length);
    long error; /* -errno of what failed; 0 = nothing did */
};

#endif
