/*
 * The code in which a thread may hold a lock that loading a library takes: the loader, the malloc
 * family, thread creation, fork and exit. Found once, before the process is stopped, so that a
 * program counter is looked up in a table while it stands still.
 */
#ifndef COLLECTOR_ATTACH_UNSAFE_CODE_H
#define COLLECTOR_ATTACH_UNSAFE_CODE_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unsafe_range {
    uint64_t start, limit;
    const char *what; /* static; NULL: an allocator's library */
};

struct unsafe_code {
    struct unsafe_range *functions; /* sorted by start */
    size_t n_functions, functions_cap;
    struct unsafe_range *objects; /* those that count as a whole */
    size_t n_objects, objects_cap;
};

/* Reads the symbols of all modules that were reported. What was read before is forgotten. */
void unsafe_code_read(struct unsafe_code *code, Dwfl *dwfl);
void unsafe_code_free(struct unsafe_code *code);

/* What a thread at this address is inside of, static; NULL: of nothing. *in_allocator becomes true
 * in an allocator's library, whose functions have no names that would tell. */
const char *unsafe_code_find(const struct unsafe_code *code, uint64_t address, bool *in_allocator);

#endif
