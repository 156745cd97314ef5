/*
 * The stack of a thread that waits in a system call, read by another one without disturbing it. A
 * signal would end some calls early (a transfer with a part of its bytes, a wait for a signal).
 */
#ifndef LIBPROF_SAMPLE_THREADS_WAITING_H
#define LIBPROF_SAMPLE_THREADS_WAITING_H

#include "sample/core/task.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * The thread's stack as a reference into the ledger's stacks; 0: it doesn't wait, moved meanwhile,
 * or nothing could be read. *complete: it reaches the thread's start. call: as just found;
 * last_ran: task_last_ran's. Context: the bare thread (dump/).
 */
uint32_t waiting_stack(uint32_t tid, const struct task_call *call, uint64_t last_ran,
                       bool *complete);

/* May it be signalled there, and its call be none the worse for it? A call of the hooks is
 * repeated, or the kernel restarts it (signal(7)). */
bool waiting_may_be_signalled(const struct task_call *call);

#endif
