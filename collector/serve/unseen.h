/*
 * What of a process's memory its heap profile can't show: the kernel's numbers, and the
 * allocator that the program, or a library of it, brings along.
 *
 * Threads: any, with the process's ledger_lock held for reading.
 */
#ifndef COLLECTOR_SERVE_UNSEEN_H
#define COLLECTOR_SERVE_UNSEEN_H

#include "dump/encode.h"
#include "serve/process.h"

/* Reads the kernel's numbers of a running process and keeps them for its end. */
void unseen_look(struct process *process);

/* Adds to the request what its comments are made of. memory: room, borrowed by the
 * request. running: the kernel has numbers of now; else they are those the process left at its last
 * dump, or those last seen of one that left none (killed, or a raw exit_group). */
void unseen_describe(struct process *process, bool running, uint64_t memory[LEDGER_MEMORY_KINDS],
                     struct dump_request *request);

/* The allocator that keeps the process's heap profile from being whole, in words, or NULL.
 * After its end. */
const char *unseen_allocator(struct process *process);

#endif
