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

#include "wire/dump_request.h"
#include "wire/sink.h"
#include <stdbool.h>
#include <stdint.h>

/* The name in files: "heap", "heappeak", "cpu" ... */
const char *dump_profile_name(enum dump_profile profile);

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
