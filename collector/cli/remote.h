/* What the commands for live processes share: asking the collector. */
#ifndef COLLECTOR_CLI_REMOTE_H
#define COLLECTOR_CLI_REMOTE_H

#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"
#include "profile/profile.h"

/* A line of /ps. */
struct remote_process {
    char *line; /* what the texts lie in */
    const char *id, *state, *exe, *name;
    int64_t start; /* seconds since the epoch */
    uint64_t samples, cpu_ns, heap_alloc;
    int64_t heap_inuse, heap_peak;
    unsigned threads;
};

/* All processes; address: NULL for the default. malloc'ed; NULL with *err. */
struct remote_process *remote_list(const char *address, size_t *n, struct error *err);
void remote_free(struct remote_process *list, size_t n);
/* The entry of an id; NULL. */
const struct remote_process *remote_find(const struct remote_process *list, size_t n,
                                         const char *id);

/* A line of /refused. */
struct remote_refusal {
    char *line; /* what the texts lie in */
    uint64_t count;
    const char *pid, *user, *program, *reason;
};

/* Who was turned away; none from a collector that doesn't tell. malloc'ed. */
struct remote_refusal *remote_refusals(const char *address, size_t *n);
void remote_refusals_free(struct remote_refusal *list, size_t n);

/* The bytes of /p/ID/debug/pprof/NAME, with a line of progress on a terminal. */
char *remote_fetch(const char *address, const char *id, const char *name, unsigned seconds,
                   size_t *size, struct error *err);
/* The same, read. */
struct profile *remote_profile(const char *address, const char *id, const char *name,
                               unsigned seconds, struct error *err);

/* Of any path, at any server of net/http/pprof's profiles. */
struct profile *remote_profile_path(const char *address, const char *path, unsigned seconds,
                                    struct error *err);

/* --seconds, at least 1; 0: it makes no sense (told). */
unsigned remote_seconds(const struct cli_options *o, unsigned standard);

/* "12.5 MiB". Returns the bytes of the unit that was chosen. */
double remote_bytes(double bytes, char *text, size_t size);

#endif
