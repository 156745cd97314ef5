/*
 * What the kernel says of a process's memory, for the comments of its profiles: why the
 * heap profile isn't RSS (hazard 51), and whether it is missing an allocator (hazard 14).
 *
 * Context: dump context; the collector. Without /proc there is nothing to say.
 */
#ifndef LIBPROF_WIRE_PROC_MEMORY_H
#define LIBPROF_WIRE_PROC_MEMORY_H

#include "wire/layout.h"
#include <stdbool.h>
#include <stdint.h>

/* proc_pid_status(5)'s word for each, with its colon. */
extern const char *const memory_names[LEDGER_MEMORY_KINDS];

/* pid: the process's, as the caller sees it; 0: the caller itself. kB each, 0 for what it
 * doesn't say; false and nothing changed for a process that has no memory any more. */
bool memory_read(uint32_t pid, uint64_t memory[LEDGER_MEMORY_KINDS]);

#endif
