#include "attach/tracee.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "attach/arch.h"
#include "base/clock.h"
#include "base/mem.h"

#define STOP_NS                                                                                    \
    INT64_C(3000000000) /* on a busy machine a thread may have to wait for a processor */

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

bool tracee_is_event(int status)
{
    return WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP;
}

bool tracee_is_syscall(int status)
{
    return WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80); /* PTRACE_O_TRACESYSGOOD */
}

/* A stop that only says that a signal is about to be delivered. */
static bool is_signal(int status)
{
    return WIFSTOPPED(status) && status >> 16 == 0 && WSTOPSIG(status) != (SIGTRAP | 0x80);
}

int tracee_wait(pid_t tid, enum tracee_run run, int64_t deadline_ns, bool *late)
{
    struct timespec nap = {0, 20000};
    int status, turns = 0;
    *late = false;
    for (;;) {
        pid_t found = waitpid(tid, &status, __WALL | WNOHANG);
        if (found == tid && WIFSTOPPED(status)) {
            if (!is_signal(status))
                return status;
            ptrace(run == TRACEE_RUN ? PTRACE_CONT : PTRACE_SYSCALL, tid, 0,
                   (void *)(intptr_t)WSTOPSIG(status));
            continue;
        }
        if (found == tid || (found < 0 && errno != EINTR))
            return -1; /* it ended */
        if (clock_monotonic() > deadline_ns) {
            *late = true;
            return -1;
        }
        if (turns++ < 200) { /* mostly it stops within microseconds */
            sched_yield();
            continue;
        }
        nanosleep(&nap, NULL);
        if (nap.tv_nsec < 1000000)
            nap.tv_nsec += nap.tv_nsec / 2;
    }
}

static bool is_seized(const struct tracee *tracee, pid_t tid)
{
    for (size_t n = tracee->count; n > 0; n--)
        if (tracee->threads[n - 1] == tid)
            return true;
    return false;
}

/* Seizes the threads that are not seized yet. Returns how many, or -1 with errno. */
static int seize_new(struct tracee *tracee)
{
    const uintptr_t options = PTRACE_O_TRACESYSGOOD;
    char path[48];
    int added = 0, error = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)tracee->pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return -1;
    for (struct dirent *entry; !error && (entry = readdir(tasks));) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid <= 0 || is_seized(tracee, tid))
            continue;
        if (ptrace(PTRACE_SEIZE, tid, 0, (void *)options) != 0) {
            /* ESRCH: it has ended; EPERM, where others may be traced: it is about to */
            error = errno == ESRCH || (errno == EPERM && tracee->count > 0) ? 0 : errno;
            continue;
        }
        ptrace(PTRACE_INTERRUPT, tid, 0, 0);
        tracee->threads =
            mem_grow(tracee->threads, tracee->count, &tracee->cap, sizeof *tracee->threads);
        tracee->threads[tracee->count++] = tid;
        added++;
    }
    closedir(tasks);
    errno = error;
    return error ? -1 : added;
}

/* Waits for the stops of the threads from `first` on; forgets those that have ended. */
static bool wait_stopped(struct tracee *tracee, size_t first, int64_t deadline_ns)
{
    size_t kept = first;
    bool late = false;
    for (size_t n = first; n < tracee->count; n++) {
        bool is_late;
        if (tracee_wait(tracee->threads[n], TRACEE_RUN, deadline_ns, &is_late) != -1)
            tracee->threads[kept++] = tracee->threads[n];
        else if (is_late) {
            tracee->threads[kept++] = tracee->threads[n];
            late = true;
            deadline_ns = 0; /* one is enough to give up */
        }
    }
    tracee->count = kept;
    return !late;
}

static uint64_t pending_signals(pid_t tid, uint64_t *blocked)
{
    char path[40], line[256];
    unsigned long long own = 0, shared = 0, mask = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "SigPnd: %llx", &own);
        sscanf(line, "ShdPnd: %llx", &shared);
        sscanf(line, "SigBlk: %llx", &mask);
    }
    if (file)
        fclose(file);
    *blocked = mask;
    return own | shared;
}

bool tracee_has_signal(pid_t tid)
{
    uint64_t blocked, pending = pending_signals(tid, &blocked);
    return (pending & ~blocked) != 0;
}

uint64_t tracee_pending(pid_t tid)
{
    uint64_t blocked;
    return pending_signals(tid, &blocked);
}

/* What our stop interrupted goes on. */
static void undo_interruption(pid_t tid)
{
    if (!tracee_has_signal(tid))
        arch_undo_interruption(tid);
}

void tracee_resume(pid_t tid)
{
    undo_interruption(tid);
    ptrace(PTRACE_CONT, tid, 0, 0);
}

bool tracee_pause(pid_t tid)
{
    bool late;
    ptrace(PTRACE_INTERRUPT, tid, 0, 0);
    return tracee_wait(tid, TRACEE_RUN, clock_monotonic() + STOP_NS, &late) != -1;
}

void tracee_forget(struct tracee *tracee, pid_t tid)
{
    size_t kept = 0;
    for (size_t n = 0; n < tracee->count; n++)
        if (tracee->threads[n] != tid)
            tracee->threads[kept++] = tracee->threads[n];
    tracee->count = kept;
}

bool tracee_stop_new(struct tracee *tracee)
{
    int added;
    do {
        size_t first = tracee->count;
        added = seize_new(tracee);
        if (added < 0 || !wait_stopped(tracee, first, clock_monotonic() + STOP_NS))
            return false;
    } while (added > 0);
    return true;
}

bool tracee_stop(struct tracee *tracee, bool *again, struct error *err)
{
    int64_t deadline = clock_monotonic() + STOP_NS;
    tracee->count = 0;
    *again = false;
    tracee->stopped_at = clock_monotonic();
    for (;;) {
        size_t first = tracee->count;
        int added = seize_new(tracee);
        if (added < 0) {
            int error = errno;
            tracee_release(tracee, 0);
            return fail_with(err, "process %d may not be traced: %s", (int)tracee->pid,
                             strerror(error));
        }
        *again = !wait_stopped(tracee, first, deadline);
        if (*again) {
            tracee_release(tracee, 0);
            return fail_with(err, "a thread of process %d does not stop: it waits in the kernel",
                             (int)tracee->pid);
        }
        if (added == 0)
            break;
    }
    return tracee->count > 0 || fail_with(err, "process %d has ended", (int)tracee->pid);
}

void tracee_release(struct tracee *tracee, pid_t except)
{
    for (size_t n = 0; n < tracee->count; n++) {
        pid_t tid = tracee->threads[n];
        if (tid == except)
            continue;
        undo_interruption(tid);
        if (ptrace(PTRACE_DETACH, tid, 0, 0) != 0 && errno == ESRCH) {
            /* it has not stopped yet, and only a stopped thread can be let go */
            bool late;
            if (tracee_wait(tid, TRACEE_RUN, clock_monotonic() + STOP_NS, &late) != -1)
                ptrace(PTRACE_DETACH, tid, 0, 0);
        }
    }
    if (except) {
        tracee->threads[0] = except;
        tracee->count = 1;
    } else {
        tracee->count = 0;
    }
    if (tracee->stopped_at)
        tracee->stopped_ns += (uint64_t)(clock_monotonic() - tracee->stopped_at);
    tracee->stopped_at = 0;
}

void tracee_free(struct tracee *tracee)
{
    free(tracee->threads);
    tracee->threads = NULL;
    tracee->cap = tracee->count = 0;
}
