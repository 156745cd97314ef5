/*
 * The real functions behind the interposed ones: what the next object in the
 * search order defines (as dlsym(3)'s RTLD_NEXT), so other preloaded libraries
 * and allocators keep their turn.
 *
 * Context: `real` is filled once, by real_resolve, before the first hook gets
 * past its guard; immutable afterwards. The pointers to unlocks may be called
 * before: they resolve `real` themselves then.
 */
#ifndef LIBPROF_RUNTIME_REAL_H
#define LIBPROF_RUNTIME_REAL_H

#include "runtime/interposed.h"
#include <mqueue.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <threads.h>
#include <time.h>

struct real {
#define REAL_POINTER(type, name, parameters) type(*name) parameters;
    INTERPOSED(REAL_POINTER)
    INTERPOSED_VERSIONED(REAL_POINTER)
    REAL_ONLY(REAL_POINTER)
#undef REAL_POINTER
};

extern struct real real __attribute__((visibility("hidden")));

/*
 * Fills `real` with the default version of each function in the first object
 * behind libprof.so that defines it. By libprof's own look-up (object.h): dlsym
 * would allocate and lock, through hooks that have no real function yet, whenever a name
 * isn't there, and leave the program a message.
 * from_the_first: in the first object of all, since an injected libprof.so comes last and the
 * program's calls lead to the first.
 * Context: first use of any hook; not reentrant, the caller guards it.
 */
void real_resolve(bool from_the_first);

#endif
