/*
 * libprof's own memory, all of it: mapped here and given back here. An injected library
 * notes each mapping, so that nothing stays when it is taken out of the program again. A
 * preloaded one stays to the end and notes nothing.
 *
 * Context: AS-safe, lock-free; raw system calls only.
 */
#ifndef LIBPROF_KIT_MAPPINGS_H
#define LIBPROF_KIT_MAPPINGS_H

#include <stddef.h>

/* Begins to note mappings. Constructor only, before the first one. */
void mappings_note(void);

/* Private zeroed memory, or NULL. size: bytes, rounded up to pages by the kernel. */
void *mappings_map(size_t size);

/* Gives a whole mapping back. */
void mappings_unmap(void *memory, size_t size);

/* Gives all noted mappings back. Nothing of libprof may run afterwards. */
void mappings_unmap_all(void);

#endif
