/*
 * Is this a moment at which a library can be loaded into a stopped process?
 *
 * While it is loaded only one thread runs. It takes locks of the allocator and of the
 * loader, so no thread may hold one: none may be inside the malloc family, the loader,
 * fork, thread creation or exit. Each stack is unwound from outside and looked at.
 */
#ifndef COLLECTOR_ATTACH_SAFE_POINT_H
#define COLLECTOR_ATTACH_SAFE_POINT_H

#include <stdbool.h>
#include <sys/types.h>

#include "attach/tracee.h"
#include "base/error.h"

struct safe_point;

/* Reads the modules of the process, before it is stopped: that takes a while. NULL with
 * *err filled in. */
struct safe_point *safe_point_new(pid_t pid, struct error *err);
void safe_point_free(struct safe_point *safe);
/* Reads them again: a program loads libraries, all the more while it starts. */
bool safe_point_refresh(struct safe_point *safe, struct error *err);

/* Where an injected library lies that is to be armed or disarmed: no thread may be at work in
 * it. One that waits in a system call of a real function, which a hook called, is not. */
void safe_point_avoid(struct safe_point *safe, uint64_t start, uint64_t limit);

/*
 * With all threads stopped: the thread that can make the call, or 0 when this is not the
 * moment; *why then names what stands in the way (static text). Threads that are inside of
 * something run on alone, for up to 50 ms, until they have come out of it.
 * Preferred is a thread that waits in a system call and whose whole stack could be read.
 */
pid_t safe_point_find(struct safe_point *safe, struct tracee *tracee, const char **why);

/* Has any thread a frame in the library, or a stack that could not be read to its end? */
bool safe_point_uses(struct safe_point *safe, const struct tracee *tracee);

#endif
