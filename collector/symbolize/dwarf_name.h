/*
 * Names of functions in DWARF. A compiler gives a function of internal linkage (in an
 * anonymous namespace, a lambda, a local class) no linkage name, so its name is put
 * together from the scopes around it.
 */
#ifndef COLLECTOR_SYMBOLIZE_DWARF_NAME_H
#define COLLECTOR_SYMBOLIZE_DWARF_NAME_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>

/* Which scope a DIE lies in: libdw's DIEs do not know. In the order of a walk through the
 * unit, which is that of the offsets. */
struct dwarf_scope {
    Dwarf_Off die, parent; /* parent: 0 = the unit itself */
};

struct dwarf_scopes {
    struct dwarf_scope *list;
    size_t n, cap;
};

/* Notes the scope around a DIE. Called in the order of the DIEs' offsets. */
void dwarf_scopes_add(struct dwarf_scopes *scopes, Dwarf_Off die, Dwarf_Off parent);

/*
 * The linkage name if it is mangled: "_ZN3app3runEv". Else the plain name with the scopes
 * around it: "(anonymous namespace)::Lexer::parse", "main::{lambda at app.cc:12:9}::operator()".
 * C's names stand alone. lines: as for dwarf_declared_file. malloc'ed; NULL: the function has none.
 */
char *dwarf_function_name(Dwarf_Die *die, const struct dwarf_scopes *scopes, Dwarf_Die *lines);

/* The file in which a DIE, or the one it was made from, is declared. lines: the unit whose table
 * of files its number refers to; NULL: the DIE's own. The handle owns it; NULL: it has none. */
const char *dwarf_declared_file(Dwarf_Die *die, Dwarf_Die *lines);

/* A string of the DIE or of the one it was made from; NULL: it has none. */
const char *dwarf_string(Dwarf_Die *die, unsigned attribute);

/* Is it a name that a compiler has mangled (C++, Rust, D)? */
bool dwarf_name_is_mangled(const char *name);

#endif
