/*
 * How much memory a process has resident, by the kernel's count: beside its heap profile it
 * tells what that cannot show.
 *
 * Threads: any; resident_get with the process's ledger lock held for reading.
 */
#ifndef COLLECTOR_SERVE_RESIDENT_H
#define COLLECTOR_SERVE_RESIDENT_H

#include "serve/process.h"

/* Reads the kernel's numbers of a running process and keeps them for its end. */
void resident_keep(struct process *process);

/* kB, by enum ledger_memory. running: the kernel's of now. Else, or when it has none any more,
 * those that the process left at its last dump, or the last ones kept of one that left none
 * (killed, or a raw exit_group). */
void resident_get(struct process *process, bool running, uint64_t memory[LEDGER_MEMORY_KINDS]);

#endif
