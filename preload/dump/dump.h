/*
 * Dumps: when a process writes its profiles by itself, and on which thread.
 *
 * One dump runs at a time, on the bare thread (bare.h). A request made meanwhile
 * is answered by one more dump after it, however many requests there are.
 *
 * No dump is made while system calls are forbidden (kit/sys.h).
 *
 * Context: everything here is AS-safe and leaves errno alone. In a process that
 * has no ledger of its own (nothing recorded yet, a forked child before its
 * first event, a vfork child) nothing happens.
 */
#ifndef LIBPROF_DUMP_DUMP_H
#define LIBPROF_DUMP_DUMP_H

#include <stdbool.h>
#include <stdint.h>

enum dump_reason {
    DUMP_REASON_SIGNAL,   /* LIBPROF_SIGNAL */
    DUMP_REASON_INTERVAL, /* LIBPROF_INTERVAL */
    DUMP_REASON_EXIT,     /* exit, _exit, quick_exit */
    DUMP_REASON_EXEC,     /* about to become another program */
    DUMP_REASON_FATAL,    /* about to die by SIGTERM, SIGINT or SIGHUP */
    DUMP_REASON_SANDBOX,  /* about to install a seccomp filter: the last chance */
    DUMP_REASON_COMMAND,  /* no dump: the collector asks for the threads' stacks */
};

/* Starts a dump and returns. */
void dump_request(enum dump_reason reason);

/* Makes a dump and waits for its end, half a minute at most. The caller's
 * signals stay deliverable meanwhile. True when every file was written. */
bool dump_run(enum dump_reason reason);

/*
 * Dumps when config.interval_ns have gone by since the last time. Called now and
 * then while events are recorded; nothing of ours waits for the time in between
 * (a thread that did would keep the credentials that a program drops, and make system
 * calls under its seccomp filter). A program that does nothing isn't dumped.
 */
void dump_tick(void);

/* Waits for a dump that is being made, half a minute at most. */
void dump_wait(void);

/* Whether this process, by this very pid, owns the ledger in force. */
bool dump_owns_ledger(void);

/* Whether tid is a thread of ours (for those who enumerate /proc/self/task). */
bool dump_is_own_thread(uint32_t tid);

/* What is to be done on the bare thread before the threads profile is encoded:
 * have every thread write its stack. Set by the constructor only; NULL = nothing. */
extern void (*dump_thread_walk)(void);

#endif
