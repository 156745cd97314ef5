/*
 * A ledger -> one pprof profile. The same code in the target (the dump) and in
 * the collector (another process's ledger): whatever it writes comes from the
 * view and the request, nothing from the process it runs in.
 *
 * Context: dump context, AS-safe but for time and stack (about 12 KiB): no
 * malloc, no stdio, no locks, no thread-local storage; memory from an arena of
 * its own, bounded by the number of distinct addresses and strings.
 */
#ifndef LIBPROF_WIRE_ENCODE_H
#define LIBPROF_WIRE_ENCODE_H

#include "wire/reader.h"
#include "wire/sink.h"
#include <stdbool.h>
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

/* The name in files: "heap", "heappeak", "cpu" ... */
const char *dump_profile_name(enum dump_profile profile);

struct dump_request {
    const struct ledger_view *view;
    enum dump_profile profile;
    uint64_t now_ns;             /* CLOCK_REALTIME of the snapshot; of the end for a dead process */
    const char *const *comments; /* comment_count texts of the caller's, after the ledger's own */
    size_t comment_count;
    bool ended; /* the process: of its threads only those are left whose stacks were walked */
    const char *allocator;  /* that the program brings along, in words; NULL: none is known */
    const uint64_t *memory; /* by enum ledger_memory, kB; 0: not known. NULL: as of the last dump */
};

/*
 * Encodes the profile into sink: one gzip member, one pprof Profile. NULL on
 * success; otherwise what went wrong, a static string, with sink->error telling
 * more when it was the sink. What has been written by then is to be thrown away.
 */
const char *dump_encode(const struct dump_request *request, struct sink *sink);

/* The profiles that would hold samples: mask of 1 << enum dump_profile. THREADS
 * is among them while a thread lives. */
uint32_t dump_present(const struct ledger_view *view);

#endif
