/*
 * A profile of the wall clock: for every thread of a process each second of a window, by stack and
 * reason.
 *
 * Sample types: samples (how often a thread was seen there) and wall, in nanoseconds. Labels:
 * thread, tid, state (running, runnable, lock, futex, sleep, poll, io, child, signal, page-fault,
 * other, unexplained), and where they are known call and file.
 */
#ifndef COLLECTOR_WALL_WALL_H
#define COLLECTOR_WALL_WALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "profile/profile.h"

/* Asked now and then during the window: true ends it early. NULL: never. */
typedef bool wall_stop(void *arg);

/*
 * Takes a window of `seconds`; it is shorter when stop says so or the process ends. Addresses have
 * no names yet. NULL with *err: no such process, or its stacks may not be read.
 */
struct profile *wall_take(pid_t pid, double seconds, wall_stop *stop, void *arg, struct error *err);

/* "2 threads, 20.0 s = 1.3 s running + 0.2 s waiting for a processor + 18.5 s in read (socket)":
 * malloc'ed. p: as wall_take made it. */
char *wall_summary(const struct profile *p);

#endif
