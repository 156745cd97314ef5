/*
 * A package of split units: the .dwp file that dwp and llvm-dwp make of a program's .dwo files. An
 * index (DWARF 5, 7.3.5; before that GCC's DebugFissionDWP) says which part of each section is a
 * unit's. libdw reads packages since 0.191 only, so a unit's parts are handed to it as an ELF file
 * in memory, in which the unit is whole.
 */
#ifndef COLLECTOR_SYMBOLIZE_DWARF_PACKAGE_H
#define COLLECTOR_SYMBOLIZE_DWARF_PACKAGE_H

#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "symbolize/dwarf_ranges.h"

struct dwarf_package;

/* NULL: there is no such file, or it is no package. */
struct dwarf_package *dwarf_package_open(const char *path);
void dwarf_package_close(struct dwarf_package *package);

/* One unit, as libdw sees it. The package stays open as long as it. */
struct dwarf_packaged {
    Dwarf *dwarf;
    Elf *elf;
    void *image; /* the file that elf reads, mapped */
    size_t size; /* of it, bytes */
    struct dwarf_bases bases;
};

/* Finds the unit of a skeleton. main: the file with the skeleton, after dwarf_begin_elf, which
 * unpacks its sections. NULL: the package does not have it. */
struct dwarf_packaged *dwarf_package_unit(const struct dwarf_package *package, Elf *main,
                                          Dwarf_Die *skeleton);
void dwarf_packaged_free(struct dwarf_packaged *unit);

#endif
