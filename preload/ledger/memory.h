/*
 * The ledger's memory: the address space is there from the start, without access
 * (mlockall(2) would fill it otherwise); pages are asked for before they are touched, so that a
 * full system means "no", never SIGBUS, and the sum never passes LIBPROF_MAX_MEMORY.
 *
 * The memfd is closed right after the mapping is made (no descriptor of ours stays
 * open), so fallocate(2) isn't at hand: madvise(2)'s MADV_POPULATE_WRITE
 * (Linux 5.14) does the same through the mapping, and spares the page faults.
 * Older kernels refuse it with EINVAL; the pages are then touched unreserved.
 *
 * Context: AS-safe.
 */
#ifndef LIBPROF_LEDGER_MEMORY_H
#define LIBPROF_LEDGER_MEMORY_H

#include "kit/mappings.h"
#include "wire/layout.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The ledger in force, or NULL. Immutable between ledger_create and ledger_drop. */
extern struct ledger_header *ledger __attribute__((visibility("hidden")));

/* Is it in force, filled? For whoever hasn't been told so (gate_ledger): another thread may
 * be making it. Plain uses may follow. */
static inline bool ledger_exists(void)
{
    return __atomic_load_n(&ledger, __ATOMIC_ACQUIRE) != NULL;
}

/* The slow path of memory_reserve: asks the kernel for the pages. False: there is no memory for
 * them, or LIBPROF_MAX_MEMORY is reached; the event is counted as lost. AS-safe. */
bool memory_reserve_slow(enum ledger_section_id section, uint64_t end);

/* Makes sure that the section's first `end` bytes may be written. */
static inline bool memory_reserve(enum ledger_section_id section, uint64_t end)
{
    return end <= atomic_load_explicit(&ledger->sections[section].reserved, memory_order_relaxed) ||
           memory_reserve_slow(section, end);
}

/*
 * Gives back the address space of the sections that isn't in use, but for a little: they can't
 * grow any further. Before the process limits its address space. Nothing happens while
 * another thread is growing a section and doesn't come to an end, in a vfork child, and
 * under a seccomp filter. Context: hooks.
 */
void memory_trim(void);

/* Takes the mapping away, holes that are the program's by now left alone. */
void memory_unmap(struct ledger_header *header);

/* The lowest part of the ledger in start..end, or false: none. *range: the whole part (the
 * header or a section, without what memory_trim gave back). */
bool memory_find(uintptr_t start, uintptr_t end, struct mappings_range *range);

/* Lets all of the ledger be written from now on: before a seccomp filter under which
 * growing can't ask the kernel any more. */
void memory_open_all(void);

/*
 * Takes `size` bytes (a multiple of 8) from the end of an append-only section:
 * their offset in it, or 0 when it is full. Offset 0 is never handed out.
 */
uint64_t memory_append(enum ledger_section_id section, uint64_t size);

static inline void *memory_at(enum ledger_section_id section, uint64_t offset)
{
    return (unsigned char *)ledger + ledger->sections[section].offset + offset;
}

#endif
