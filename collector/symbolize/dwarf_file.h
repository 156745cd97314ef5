/*
 * Functions, inlined functions and lines of addresses, from DWARF. Compilation
 * units are indexed by address once; each is read when the first address in it is
 * asked for. Ask in rising order: neighbours share a unit.
 */
#ifndef COLLECTOR_SYMBOLIZE_DWARF_FILE_H
#define COLLECTOR_SYMBOLIZE_DWARF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/elf_file.h"

/* Strings belong to the dwarf_file and are valid until the next look-up. */
struct dwarf_frame {
    const char *name;    /* as dwarf_function_name() puts it; NULL: unknown */
    const char *file;    /* as the compiler was told; NULL: unknown */
    const char *dir;     /* of compilation, for a relative file; NULL: unknown */
    unsigned line;       /* 0: unknown */
    unsigned column;     /* 0: unknown */
    unsigned start_line; /* of the function; 0: unknown */
};

/* Nesting of inlined calls: deeper ones are cut (from the outside, rarely seen). */
#define DWARF_MAX_FRAMES 64

struct dwarf_file;

/* NULL: no usable DWARF. f stays open as long as the result. program: path of the file that runs
 * (f may hold its debug information apart); with ".dwp" it names a package of split units. */
struct dwarf_file *dwarf_file_open(const struct elf_file *f, const char *program);
void dwarf_file_close(struct dwarf_file *d);

/* Which debug information was looked for in vain by the look-ups so far, a clause that names the
 * file; NULL: none. */
const char *dwarf_file_missing(const struct dwarf_file *d);

/* Frames of a link-time address, innermost inlined first. 0: nothing known.
 * *entry: start of the physical function, 0 if unknown. */
size_t dwarf_file_lookup(struct dwarf_file *d, uint64_t address,
                         struct dwarf_frame frames[DWARF_MAX_FRAMES], uint64_t *entry);

#endif
