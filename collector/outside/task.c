#include "outside/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/thread_state.h"

/* The start of /proc/PID/task/TID/FILE; "" when it can't be read. */
static void read_task(pid_t pid, pid_t tid, const char *file, char *buffer, size_t size)
{
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)pid, (int)tid, file);
    FILE *in = fopen(path, "re");
    size_t length = in ? fread(buffer, 1, size - 1, in) : 0;
    buffer[length] = '\0';
    if (in)
        fclose(in);
}

/* The scheduler's clock when it last ran, milliseconds; 0: unknown. */
static double last_ran(pid_t pid, pid_t tid)
{
    char buffer[512];
    read_task(pid, tid, "sched", buffer, sizeof buffer);
    const char *line = strstr(buffer, "se.exec_start"), *colon = line ? strchr(line, ':') : NULL;
    return colon ? strtod(colon + 1, NULL) : 0;
}

void task_read(pid_t pid, pid_t tid, struct task *task)
{
    char buffer[512];
    memset(task, 0, sizeof *task);
    read_task(pid, tid, "comm", task->name, sizeof task->name);
    task->name[strcspn(task->name, "\n")] = '\0';
    read_task(pid, tid, "syscall", buffer, sizeof buffer);
    int32_t number = *buffer >= '0' && *buffer <= '9' ? (int32_t)strtol(buffer, NULL, 10) : -1;
    read_task(pid, tid, "stat", buffer, sizeof buffer);
    const char *behind_name = strrchr(buffer, ')');
    char state = behind_name && behind_name[1] ? behind_name[2] : '\0';
    task->state = state ? thread_state_name(state, number) : "";
    double then = last_ran(pid, tid), now = last_ran(getpid(), getpid());
    if (state && state != 'R' && then > 0 && now > then)
        task->wait_ns = (int64_t)((now - then) * 1e6);
}
