/*
 * What the parts of a collector share: its options, the processes it knows, its descriptors.
 * loop.h starts and ends it.
 *
 * Threads: `registry` and `refusals` for any, the rest for the collector's own.
 */
#ifndef COLLECTOR_SERVE_COLLECTOR_STATE_H
#define COLLECTOR_SERVE_COLLECTOR_STATE_H

#include "serve/refusals.h"
#include "serve/registry.h"
#include "serve/welcome.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an epoll event of the collector is about: the first member of what its data
 * points to. */
enum event_source { SOURCE_SOCKET, SOURCE_CLIENT, SOURCE_PROCESS, SOURCE_TIMER, SOURCE_STOP };

struct collector_options {
    const char *socket;    /* path; its folder is made (0700) if missing */
    const char *dir;       /* where dumps go; made when the first is written */
    size_t keep;           /* ended processes remembered; older ones are forgotten. 0: all */
    bool remove_forgotten; /* their files go with them */
    bool quiet;            /* no lines on stderr about single processes */
    const char *users;     /* other users' processes to take (welcome.h); NULL: none */
    bool daemon;           /* it may be followed by another: living processes are found again */
};

struct client;

struct collector {
    struct collector_options options; /* strings borrowed; immutable */
    struct registry registry;
    int listen_fd, epoll_fd, stop_fd, timer_fd;
    pthread_t thread;
    struct client *clients; /* connections being read */
    size_t client_count;
    struct welcome welcome;
    struct refusals refusals;
    _Atomic(bool) stopping; /* long waits are to end */
};

/* One line on stderr unless `quiet`: "prof: ...". */
void collector_log(const struct collector *collector, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
