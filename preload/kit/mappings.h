/*
 * libprof's own memory, but for the ledger (ledger/memory.h): mapped here and given back
 * here. Each mapping is noted, so that nothing stays when an injected library is taken out of
 * the program again, and so that mlockall can leave it out (hooks/memory_lock.c).
 *
 * Context: AS-safe, lock-free; raw system calls only.
 */
#ifndef LIBPROF_KIT_MAPPINGS_H
#define LIBPROF_KIT_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses from start up to, without, end; both on page boundaries. */
struct mappings_range {
    uintptr_t start, end;
};

/* Private zeroed memory, or NULL. size: bytes, rounded up to pages by the kernel. */
void *mappings_map(size_t size);

/* Gives a whole mapping back. */
void mappings_unmap(void *memory, size_t size);

/* The lowest mapping that has a part in start..end, or false. *range: all of it. */
bool mappings_find(uintptr_t start, uintptr_t end, struct mappings_range *range);

/* Before the process locks all future mappings in memory (mlockall(2), MCL_FUTURE): those made
 * here from now on aren't locked, and don't count against RLIMIT_MEMLOCK. */
void mappings_keep_unlocked(void);

/* Gives all noted mappings back. Nothing of libprof may run afterwards. */
void mappings_unmap_all(void);

#endif
