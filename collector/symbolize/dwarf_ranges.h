/*
 * Addresses that belong to something: to a unit, or to a function. And what a DIE says of them,
 * in a split unit out of a package too, whose addresses lie in the main file.
 */
#ifndef COLLECTOR_SYMBOLIZE_DWARF_RANGES_H
#define COLLECTOR_SYMBOLIZE_DWARF_RANGES_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
    uint64_t low, high; /* link-time; high is exclusive */
    size_t owner;       /* index of the unit; for functions, the DIE's offset */
};

struct ranges {
    struct range *list; /* malloc'ed */
    size_t n, cap;
};

/* Bytes of a section, borrowed. */
struct dwarf_bytes {
    const unsigned char *data; /* NULL: none */
    size_t size;
};

/* What the lists of ranges in a unit out of a package refer to. */
struct dwarf_bases {
    struct dwarf_bytes addresses; /* .debug_addr from the unit's base on; 8 bytes each */
    struct dwarf_bytes lists; /* .debug_rnglists of the unit, or .debug_ranges from its base on */
    uint64_t low_pc;          /* the skeleton's; 0: none */
};

/* Adds one; an empty one, or one at 0, which the linker dropped, is not. */
void ranges_add(struct ranges *ranges, uint64_t low, uint64_t high, size_t owner);

/* After the last ranges_add and before the first ranges_find. */
void ranges_sort(struct ranges *ranges);

/* The innermost range that contains the address, or NULL. */
const struct range *ranges_find(const struct ranges *ranges, uint64_t address);

/* Adds a DIE's addresses. bases: of the package's unit that it is in; NULL: of any other. */
void ranges_add_die(struct ranges *ranges, Dwarf_Die *die, const struct dwarf_bases *bases,
                    size_t owner);

/* Is the address one of the DIE's? */
bool dwarf_die_has(Dwarf_Die *die, const struct dwarf_bases *bases, uint64_t address);

#endif
