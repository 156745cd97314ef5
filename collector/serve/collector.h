/*
 * A collector: its own thread with the socket, the processes' ends and the
 * history; used by `prof serve` as a daemon and inside `prof run`.
 *
 * Threads: collector_start and collector_stop are called by one thread; what
 * runs in the collector's thread is said at each function.
 */
#ifndef COLLECTOR_SERVE_COLLECTOR_H
#define COLLECTOR_SERVE_COLLECTOR_H

#include "profile/profile.h"
#include "serve/process.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct collector_options {
    const char *socket;    /* path; its folder is made (0700) if missing */
    const char *dir;       /* where dumps go; made when the first is written */
    size_t keep;           /* ended processes remembered; older ones are forgotten. 0: all */
    bool remove_forgotten; /* their files go with them */
    bool quiet;            /* no lines on stderr about single processes */
};

struct collector {
    struct collector_options options; /* strings borrowed */
    struct registry registry;
    int listen_fd, epoll_fd, stop_fd, timer_fd;
    pthread_t thread;
    struct client *clients; /* connections being read; collector thread only */
    size_t client_count;
    _Atomic(uint64_t) refused; /* connections and hellos turned away */
    _Atomic(bool) stopping;
};

/* Makes the socket and starts the thread. False: *err says why; nothing is left. */
bool collector_start(struct collector *collector, const struct collector_options *options,
                     struct error *err);

/* Takes what waits on the socket, writes the final dumps of processes that still
 * run when `final` (`prof run`'s end), and ends. */
void collector_stop(struct collector *collector, bool final);

/* Forgets the processes: after collector_stop, when nobody asks any more. */
void collector_free(struct collector *collector);

/* One line on stderr: "prof: ...". */
void collector_log(const struct collector *collector, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* $XDG_RUNTIME_DIR/libprof/socket, or /tmp/libprof-UID/socket: malloc'ed. */
char *collector_default_socket(void);

#endif
