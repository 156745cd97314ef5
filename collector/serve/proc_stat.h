/*
 * What /proc/PID/stat says of a process (proc(5)).
 */
#ifndef COLLECTOR_SERVE_PROC_STAT_H
#define COLLECTOR_SERVE_PROC_STAT_H

#include <stdbool.h>
#include <sys/types.h>

struct proc_stat {
    char state;
    pid_t parent;
    unsigned long long start_ticks; /* since boot, by CLOCK_BOOTTIME; _SC_CLK_TCK a second */
    int exit_code;                  /* as waitpid gives it, of a zombie that we may look at */
};

/* False: there is no such process, or more isn't told. */
bool proc_stat_read(pid_t pid, struct proc_stat *stat);

#endif
