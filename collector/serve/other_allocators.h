/*
 * The allocator that a program, or a library of it, brings along: its blocks are in no heap
 * profile.
 *
 * Threads: any, with the process's ledger lock held for reading.
 */
#ifndef COLLECTOR_SERVE_OTHER_ALLOCATORS_H
#define COLLECTOR_SERVE_OTHER_ALLOCATORS_H

#include "serve/process.h"
#include "wire/encode.h"

/* Its name in words, or NULL: the heap profile of the request, whose view and memory are filled
 * in, is whole. */
const char *other_allocators_find(struct process *process, const struct dump_request *request);

/* The same of a process that has ended. */
const char *other_allocators_of_ended(struct process *process);

#endif
