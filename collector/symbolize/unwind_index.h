/*
 * Where functions begin, from the index of the unwind tables (.eh_frame_hdr): the one
 * thing about functions that a stripped file still says.
 */
#ifndef COLLECTOR_SYMBOLIZE_UNWIND_INDEX_H
#define COLLECTOR_SYMBOLIZE_UNWIND_INDEX_H

#include <stdint.h>

#include "symbolize/elf_file.h"

/* Link-time start of the function that contains a link-time address; 0: unknown. *size
 * (if not NULL): its length in bytes. Only the form that all linkers write is read
 * (Linux Standard Base, 10.6.2). */
uint64_t unwind_index_find_entry(const struct elf_file *f, uint64_t address, uint64_t *size);

#endif
