/*
 * All threads of a process, stopped by ptrace(2) without the process noticing: seized,
 * not attached, so that no signal is sent and no stop is reported to its parent.
 *
 * ptrace belongs to a thread: one thread of prof makes all calls for one process, from
 * tracee_stop to tracee_release. If it dies, the kernel lets all threads run.
 */
#ifndef COLLECTOR_ATTACH_TRACEE_H
#define COLLECTOR_ATTACH_TRACEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct tracee {
    pid_t pid;
    pid_t *threads; /* those that are seized, the first being the oldest */
    size_t count, cap;
    int64_t stopped_at;  /* CLOCK_MONOTONIC, ns; 0 = it runs */
    uint64_t stopped_ns; /* how long it was stopped altogether */
};

/*
 * Stops every thread, also those born meanwhile. False with *err filled in, and the
 * process running as before: it may not be traced, a thread did not stop within 3 s
 * (it waits in the kernel for a child of vfork(2), say), the process ended.
 * *again: a later try may succeed, for only a thread was too slow.
 */
bool tracee_stop(struct tracee *tracee, bool *again, struct error *err);

/* Lets one thread run, until tracee_pause. */
void tracee_resume(pid_t tid);
/* Stops a thread that was resumed. False: it ended, or did not stop within 3 s. */
bool tracee_pause(pid_t tid);
/* A thread that has ended is no longer one of the tracee's. */
void tracee_forget(struct tracee *tracee, pid_t tid);
/* Stops threads that were born meanwhile. False: one did not stop. */
bool tracee_stop_new(struct tracee *tracee);

/* Lets every thread run and forgets them. The thread `except` stays; 0 = none. */
void tracee_release(struct tracee *tracee, pid_t except);

/* Frees what tracee_stop allocated. */
void tracee_free(struct tracee *tracee);

/* How a thread goes on after a signal that came while it was waited for. */
enum tracee_run {
    TRACEE_RUN,         /* to the stop that tracee_pause asked for */
    TRACEE_TO_SYSCALLS, /* stopping at the beginning and the end of each system call */
};

/*
 * Waits until the thread, which runs in that way, stops again. Signals that come for it in the
 * meantime reach it. Returns the wait status, or -1: it ended, or deadline_ns
 * (CLOCK_MONOTONIC) passed; *late tells which.
 */
int tracee_wait(pid_t tid, enum tracee_run run, int64_t deadline_ns, bool *late);

/* Is a signal pending that the thread does not block? */
bool tracee_has_signal(pid_t tid);
/* Those that are pending for it or for its process: signal n is bit n - 1. */
uint64_t tracee_pending(pid_t tid);

/* Is it the stop that PTRACE_INTERRUPT makes? One at a system call? */
bool tracee_is_event(int status);
bool tracee_is_syscall(int status);

#endif
