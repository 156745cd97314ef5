/*
 * What a waiting thread waits for, told by its system call: a state, the call's name, and the kind
 * of file, as labels of a wall profile.
 */
#ifndef COLLECTOR_WALL_PLACE_H
#define COLLECTOR_WALL_PLACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "outside/blocked.h"

struct place {
    const char *state; /* static: "io", "poll", "sleep", "lock", "futex", "child", "signal",
                          "page-fault", "other" */
    const char *call;  /* static: "read"; "" none */
    const char *file;  /* static: "regular", "socket", "pipe", "tty", "other"; "" none */
};

/* frames: the stack, innermost first; a futex is a lock where a function of pthread's locks waits.
 */
struct place place_of(struct blocked *blocked, pid_t pid, const struct blocked_place *where,
                      const uint64_t *frames, size_t depth);

#endif
