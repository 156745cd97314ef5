/*
 * What the processes looked like in the last quarter of an hour, so that a window
 * of the past can be chosen on a chart: every few seconds each profile of each
 * running process that has new samples is encoded and kept, compressed. A window
 * is the difference of two of these *marks*.
 *
 * Costs the processes nothing, the collector at most 1/TIMELINE_SHARE of a CPU for
 * each process, and TIMELINE_BYTES_MAX of memory: beyond it the process with the
 * most loses every second one of its marks, so the past gets coarser before it is lost.
 *
 * Threads: timeline_start, _stop and _free by one thread; the rest any.
 */
#ifndef COLLECTOR_WEB_TIMELINE_H
#define COLLECTOR_WEB_TIMELINE_H

#include "profile/profile.h"
#include "serve/collector_state.h"
#include "wire/encode.h"

#define TIMELINE_INTERVAL_NS INT64_C(5000000000)
#define TIMELINE_MARKS 180 /* of a process: as long as the history of its numbers */
#define TIMELINE_BYTES_MAX ((size_t)128 << 20)
#define TIMELINE_SHARE 20

struct timeline {
    pthread_mutex_t lock;
    struct track *tracks; /* one for each process; under lock */
    size_t bytes;         /* of all marks; under lock */
    struct collector *collector;
    pthread_t thread;
    bool started;
    int stop_fd;
};

/* init: no marks. start: a thread of its own takes marks of the collector's processes, until stop
 * ends it. free: after stop. */
void timeline_init(struct timeline *timeline);
void timeline_free(struct timeline *timeline);
void timeline_start(struct timeline *timeline, struct collector *collector);
void timeline_stop(struct timeline *timeline);

/* Which profiles have marks. */
bool timeline_records(enum dump_profile which);

/* The moments of a process's marks, oldest first, into times; at most n. */
size_t timeline_times(struct timeline *timeline, const struct process *process, int64_t *times,
                      size_t n);

/* The profile at the last mark not after at_ns (with no such mark: the first one), or
 * NULL with *err. *found_ns: the mark's moment. Addresses only. */
struct profile *timeline_take(struct timeline *timeline, const struct process *process,
                              enum dump_profile which, int64_t at_ns, int64_t *found_ns,
                              struct error *err);

#endif
