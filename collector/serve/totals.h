/*
 * A process's numbers of now, summed over its ledger's tables. process_read_totals (process.h)
 * has them for a process.
 *
 * Threads: any.
 */
#ifndef COLLECTOR_SERVE_TOTALS_H
#define COLLECTOR_SERVE_TOTALS_H

#include "wire/reader.h"
#include <stdbool.h>
#include <stdint.h>

/* Zero without a ledger. */
struct totals {
    int64_t heap_inuse;                              /* bytes, estimated */
    double heap_inuse_variance, heap_alloc_variance; /* of the estimates, bytes^2 */
    bool heap_is_estimated;                          /* false: every allocation is recorded */
    int64_t heap_peak;                               /* bytes */
    uint64_t heap_alloc;                             /* bytes since the start, estimated */
    uint64_t cpu_ns;                                 /* sampled */
    uint64_t cpu_samples;
    uint64_t samples;  /* events of all profiles */
    uint32_t threads;  /* alive; of an ended process: when it ended, as far as seen */
    uint64_t reserved; /* bytes of the ledger in memory */
};

/* Reads every site: takes as long as the ledger has many. threads: those in the ledger, which
 * knows only threads that something was recorded of. */
void totals_sum(const struct ledger_view *view, struct totals *out);

#endif
