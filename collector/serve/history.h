/*
 * A bounded ring of a process's numbers, one entry a second: what the web page's
 * charts and `prof live` show. 15 minutes, 48 bytes an entry, allocated when the
 * first entry comes.
 *
 * Threads: any.
 */
#ifndef COLLECTOR_SERVE_HISTORY_H
#define COLLECTOR_SERVE_HISTORY_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_ENTRIES 900 /* seconds */

struct history_entry {
    int64_t time_ns;     /* CLOCK_REALTIME */
    int64_t heap_inuse;  /* bytes */
    uint64_t heap_alloc; /* bytes since the start */
    uint64_t cpu_ns;     /* since the start */
    uint64_t samples;    /* since the start */
    uint32_t threads;
    uint32_t reserved;
};

struct history {
    pthread_mutex_t lock;
    struct history_entry *ring; /* under lock; NULL: empty */
    size_t count;               /* entries ever added; under lock */
};

/* An empty one; free gives its memory back; add takes a copy, and the oldest entry goes when the
 * ring is full. */
void history_init(struct history *history);
void history_free(struct history *history);
void history_add(struct history *history, const struct history_entry *entry);

/* Copies the newest entries, oldest first, at most n of them; entries not after
 * `since_ns` are left out (0: all). Returns how many. */
size_t history_read(struct history *history, int64_t since_ns, struct history_entry *out, size_t n);

#endif
