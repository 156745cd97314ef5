/*
 * Calls made in a thread of the target, as if a signal handler ran there.
 *
 * The thread may be let go at any instant (the injector dies, say): each call returns
 * into the C library's sa_restorer with a signal frame behind it, so the thread's
 * registers are restored and the program goes on (attach/arch.h).
 *
 * Used by one thread, which traces the target's thread.
 */
#ifndef COLLECTOR_ATTACH_CALL_H
#define COLLECTOR_ATTACH_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/arch.h"
#include "base/error.h"

struct call {
    pid_t pid, tid;
    struct arch_state state; /* of the thread before the first call */
    struct arch_code code;
    uint64_t stack, stack_size; /* mapped in the target for the calls; 0 = none yet */
    uint64_t sp;                /* where a call's stack begins: the return address */
    bool running;               /* a called function has not returned yet */
    bool returned;              /* it has, and its frame's rt_sigreturn was held back */
    bool moving;                /* the thread runs, towards the next stop */
    bool inside;                /* that stop is the end of a system call */
    bool handled;               /* a signal's handler has returned during a call */
    bool replaced;              /* which is another than was asked for: */
    struct arch_call asked;     /* this one */
};

/* What a system call of a function that is being called is to become. */
enum call_verdict {
    CALL_PASS,    /* it is made as it is */
    CALL_REPLACE, /* it is made as *call now says; the program sees its own arguments */
};

/* Asked at the beginning of each system call that a called function makes. */
typedef enum call_verdict (*call_watch)(void *arg, struct arch_call *call);

/* Takes over a thread that tracee_stop stopped, and maps a stack for the calls. False:
 * *err is filled in, the thread is as it was. */
bool call_begin(struct call *call, pid_t pid, pid_t tid, const struct arch_code *code,
                struct error *err);

/* Makes a system call; its result, or -errno. -ESRCH also when the thread has ended. */
long call_syscall(struct call *call, long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                  uint64_t e, uint64_t f);

/*
 * Calls a function with two arguments, until it returns or deadline_ns (CLOCK_MONOTONIC)
 * passes. Its result is not known: what it did has to be looked at. False: it has not
 * returned yet (call again with call_wait), or the thread has ended.
 */
bool call_function(struct call *call, uint64_t function, uint64_t a, uint64_t b, call_watch watch,
                   void *arg, int64_t deadline_ns);
bool call_wait(struct call *call, call_watch watch, void *arg, int64_t deadline_ns);

/* Copies bytes to the low end of the calls' stack; their address there, 0 on failure. */
uint64_t call_store(struct call *call, const void *bytes, size_t size);

/* Unmaps the stack and gives the thread its registers back; it stays stopped. */
bool call_end(struct call *call, struct error *err);

#endif
