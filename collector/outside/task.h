/* What /proc tells of a thread of another process (proc_pid_stat(5)). */
#ifndef COLLECTOR_OUTSIDE_TASK_H
#define COLLECTOR_OUTSIDE_TASK_H

#include <stdint.h>
#include <sys/types.h>

struct task {
    char name[64];     /* "" = unknown */
    const char *state; /* a word, static; "" = unknown */
    int64_t wait_ns;   /* since it last ran; 0 = it runs, or unknown */
};

/* Read before the thread is stopped: that changes all of it. */
void task_read(pid_t pid, pid_t tid, struct task *task);

#endif
