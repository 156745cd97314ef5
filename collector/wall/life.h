/*
 * One thread's time. Between two looks its clock is divided by the kernel's sums (proc_pid_stat(5),
 * /proc/PID/task/TID/schedstat; sched-stats.rst): running, runnable, and the rest, which it waited.
 */
#ifndef COLLECTOR_WALL_LIFE_H
#define COLLECTOR_WALL_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/hash.h"
#include "outside/blocked.h"
#include "wall/place.h"

/* A stack and a reason, with the time that a thread spent there. */
struct wait {
    UT_hash_handle hh;
    uint64_t key;
    pid_t tid;
    struct place place;
    int64_t ns;
    int64_t looks; /* how often the thread was seen there */
    size_t depth;
    uint64_t frames[]; /* innermost first */
};

struct life {
    UT_hash_handle hh;
    pid_t tid;
    char name[32];

    /* At the last look. */
    int64_t last_ns; /* CLOCK_MONOTONIC */
    uint64_t ran_ns, queued_ns, turns;
    struct wait *wait; /* where it waited; NULL: it ran, or its stack could not be taken */

    /* Since the window's beginning, ns. */
    int64_t running, runnable, unexplained;
    int64_t pending; /* waited, and not seen where so far; negative: the kernel's sums are ahead */
};

/* All threads of a process, and where they waited. */
struct lives {
    pid_t pid;
    struct blocked *blocked; /* NULL: stacks may not be read */
    struct life *list;       /* by tid */
    struct wait *waits;      /* by key */
    int64_t begin_ns;        /* of the window, CLOCK_MONOTONIC */
};

/* Looks at all threads. The first time it is the window's beginning. False: the process is gone. */
bool lives_look(struct lives *lives, bool first);

/* The window is over: waiting time that is still kept goes to each thread's last wait, or is
 * unexplained. */
void lives_settle(struct lives *lives);

/* Frees the lists, not `blocked`. */
void lives_free(struct lives *lives);

#endif
