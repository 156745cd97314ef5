/*
 * Profiles of a process: what its ledger holds now, windows between two moments,
 * with names for the addresses. Reading costs the process nothing; any number of
 * readers at once.
 *
 * Threads: any.
 */
#ifndef COLLECTOR_SERVE_SNAPSHOT_H
#define COLLECTOR_SERVE_SNAPSHOT_H

#include "profile/profile.h"
#include "serve/collector_state.h"
#include "wire/encode.h"

/* The profile as the process's own dump would have it, addresses only. An ended
 * process's is its last. THREADS: asks the process to walk its stacks first and
 * waits for it, two seconds at most. NULL with *err. */
struct profile *snapshot_take(struct collector *collector, struct process *process,
                              enum dump_profile which, struct error *err);

/* Asked now and then during a wait: true to give up. */
typedef bool snapshot_cancel(void *context);

/*
 * What was added in the next `seconds`: end minus start, with time the window's
 * end and duration its length; a process that ends cuts it short. Values that
 * aren't sums over time (inuse_*) are differences too, as in Go. NULL with *err;
 * err->text is "" when cancel said so.
 */
struct profile *snapshot_window(struct collector *collector, struct process *process,
                                enum dump_profile which, double seconds, snapshot_cancel *cancel,
                                void *context, struct error *err);

/* Names for the addresses, one call at a time in the whole collector. */
void snapshot_symbolize(struct process *process, struct profile *profile);
/* The same; *entries: as symbolize_options.entries, the caller frees it. */
void snapshot_symbolize_entries(struct process *process, struct profile *profile,
                                uint64_t **entries);

/* Adds the process's modules as mappings; none when its memory isn't held. */
void snapshot_add_modules(struct process *process, struct profile *profile);

/* By the name in URLs: heap allocs profile cpu goroutine threads threadcreate block
 * mutex, and heappeak. False: no such profile. */
bool snapshot_find(const char *name, enum dump_profile *which);

#endif
