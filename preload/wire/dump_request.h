/*
 * What is to be written of a ledger: one profile, with what its reader should know.
 *
 * Types only: any context.
 */
#ifndef LIBPROF_WIRE_DUMP_REQUEST_H
#define LIBPROF_WIRE_DUMP_REQUEST_H

#include "wire/reader.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What can be written of a ledger. */
enum dump_profile {
    DUMP_HEAP,         /* allocated since the start and in use now; Go's heap and allocs */
    DUMP_HEAPPEAK,     /* in use when the heap was largest; types as heap's inuse */
    DUMP_CPU,          /* Go's profile */
    DUMP_THREADS,      /* Go's goroutine: the stacks of the last walk */
    DUMP_THREADCREATE, /* Go's */
    DUMP_BLOCK,        /* Go's */
    DUMP_MUTEX,        /* Go's */
    DUMP_PROFILES
};

struct dump_request {
    const struct ledger_view *view;
    enum dump_profile profile;
    uint64_t now_ns;             /* CLOCK_REALTIME of the snapshot; of the end for a dead process */
    uint64_t now_mono_ns;        /* CLOCK_MONOTONIC of the same moment: clocks may be set */
    const char *const *comments; /* comment_count texts of the caller's, after the ledger's own */
    size_t comment_count;
    bool ended; /* the process: of its threads only those are left whose stacks were walked */
    const char *allocator;  /* that the program brings along, in words; NULL: none is known */
    const uint64_t *memory; /* by enum ledger_memory, kB; 0: not known. NULL: as of the last dump */
};

#endif
