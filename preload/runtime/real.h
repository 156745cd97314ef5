/*
 * The real functions behind the interposed ones: what the next object in the
 * search order defines (dlsym(3), RTLD_NEXT), so other preloaded libraries and
 * allocators keep their turn.
 *
 * Context: `real` is filled once, by real_resolve, before the first hook gets
 * past its guard; immutable afterwards.
 */
#ifndef LIBPROF_RUNTIME_REAL_H
#define LIBPROF_RUNTIME_REAL_H

#include "runtime/interposed.h"
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <threads.h>

struct real {
#define REAL_POINTER(type, name, parameters) type(*name) parameters;
    INTERPOSED(REAL_POINTER)
    INTERPOSED_COND(REAL_POINTER)
    REAL_ONLY(REAL_POINTER)
#undef REAL_POINTER
};

extern struct real real __attribute__((visibility("hidden")));

/*
 * Fills `real`. Calls dlsym, which may allocate: while it runs the allocation
 * hooks serve from boot memory (boot.h). Never returns a pointer into
 * libprof.so itself (hazard 58).
 * Context: first use of any hook; not reentrant, the caller guards it.
 */
void real_resolve(void);

#endif
