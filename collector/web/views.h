/*
 * Views: profiles as they were when somebody asked, with names, kept under an id so
 * that every table and every picture of a page shows the same numbers, and a link
 * to them can be sent. The oldest ones not looked at are forgotten.
 *
 * Threads: any. A view is immutable once it is entered: its profile may be read by
 * several threads, and whoever wants it changed takes profile_copy().
 */
#ifndef COLLECTOR_WEB_VIEWS_H
#define COLLECTOR_WEB_VIEWS_H

#include "profile/profile.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#define VIEWS_MAX 64 /* beside pinned ones */
/* Bytes of all views but pinned ones together, estimated. */
#define VIEWS_BYTES_MAX ((size_t)512 << 20)

struct view {
    char id[17];      /* 16 hexadecimal digits, random: an old link can't mean another view */
    char *program;    /* "redis-server" */
    char *process_id; /* "" for a file */
    char *name;       /* of the profile: "heap"; of a file: its name */
    struct profile *profile; /* merged, symbolized, pruned */
    uid_t uid;               /* whose process it is */
    int64_t from_ns, to_ns;  /* CLOCK_REALTIME; of a window both, else to_ns alone */

    /* private, under the list's lock */
    bool pinned;
    size_t bytes;
    struct view *next; /* less recently used */
    _Atomic(int) references;
};

struct views {
    pthread_mutex_t lock;
    struct view *first; /* the most recently used */
};

/* No views; free gives up the references to all of them. */
void views_init(struct views *views);
void views_free(struct views *views);

/* Takes the profile; strings are copied. Returns a reference. pinned: never forgotten. */
struct view *views_add(struct views *views, const struct view *what, bool pinned);
/* A reference, or NULL. */
struct view *views_find(struct views *views, const char *id);
void view_release(struct view *view);

/* References to all pinned ones, by name: a malloc'ed array. */
struct view **views_list_pinned(struct views *views, size_t *n);

#endif
