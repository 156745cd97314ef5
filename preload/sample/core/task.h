/*
 * What the kernel tells of a thread of this process, from /proc/self/task/TID
 * (proc_pid_status(5), proc_pid_syscall(5), proc_pid_wchan(5)). Raw system calls
 * and stack buffers only. Where /proc is missing, nothing is known.
 */
#ifndef LIBPROF_SAMPLE_CORE_TASK_H
#define LIBPROF_SAMPLE_CORE_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task_status {
    char name[16];
    char state;       /* R, S, D, T, t, Z, X; 0 = not known */
    uint64_t blocked; /* signals: bit n - 1 */
};

/* Reads one thread's status file. False: there is no such thread, or no /proc. */
bool task_status(uint32_t tid, struct task_status *status);

/* The scheduler's clock when the thread last ran, ns; 0 = not known. Comparable
 * among threads only. */
uint64_t task_last_ran(uint32_t tid);

struct task_call {
    int32_t number; /* -1: it is in none, or nothing is known */
    uint64_t arguments[6];
    uintptr_t sp, pc;
};

/* The system call that it waits in. */
void task_call(uint32_t tid, struct task_call *call);

/* The kernel function it waits in; "" = none, or not known. size: bytes, all
 * filled with NULs behind the text. */
void task_wchan(uint32_t tid, char *text, size_t size);

/*
 * Calls visit for each thread of the process (getdents64(2) on /proc/self/task).
 * False where there is no /proc.
 */
bool task_each(void (*visit)(void *context, uint32_t tid), void *context);

#endif
