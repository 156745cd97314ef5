/*
 * Noticing that a process ended, however it did: a pidfd in the collector's epoll
 * set. How it ended comes from, in this order, the caller who reaped it (prof
 * run's own child), /proc/PID/stat while it is a zombie, and ioctl
 * PIDFD_GET_INFO once it is reaped (Linux 6.15).
 *
 * Threads: the collector's; process_end_open: any.
 */
#ifndef COLLECTOR_SERVE_PROCESS_END_H
#define COLLECTOR_SERVE_PROCESS_END_H

#include "serve/collector_state.h"

/* A pidfd of the process that connected `connection` and said hello at boot_ns
 * (CLOCK_BOOTTIME), or -1 when it has ended (a later process with its pid is not
 * taken for it). pid 0: one that we don't see; -1 before Linux 6.5. */
int process_end_open(int connection, pid_t pid, uint64_t boot_ns);

/* Watches a new process; one that has ended already is handled at once. */
void process_end_watch(struct collector *collector, struct process *process);

/* The pidfd became readable: the process is a zombie or gone. */
void process_end_event(struct collector *collector, struct process *process);

/* The process execed: another program of its pid said hello. */
void process_end_by_exec(struct collector *collector, struct process *process);

/* Forgets the oldest ended processes beyond options.keep, and gives up ledgers of
 * ended processes that take more memory than PROCESS_END_LEDGERS_MAX together: they are
 * served from their files then. */
void process_end_tidy(struct collector *collector);
#define PROCESS_END_LEDGERS_MAX (UINT64_C(256) << 20) /* bytes */

#endif
