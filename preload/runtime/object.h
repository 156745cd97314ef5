/*
 * A loaded object as its dynamic section describes it: symbols and relocations.
 * ELF: generic ABI chapter 5; GNU_HASH as in the GNU toolchain's own description.
 *
 * Looking symbols up here rather than with dlsym has three reasons: in a non-PIE
 * program dlsym(RTLD_DEFAULT) may give the program's own PLT entry, which leads
 * back to libprof (hazard 58); a failed dlsym allocates and leaves a message for
 * the program's dlerror; and this is several times faster, in every program
 * that is started.
 *
 * Context: start only (objects must not be unloaded meanwhile).
 */
#ifndef LIBPROF_RUNTIME_OBJECT_H
#define LIBPROF_RUNTIME_OBJECT_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object {
    uintptr_t bias;
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Rela) * relocations[2]; /* DT_RELA, DT_JMPREL */
    size_t counts[2];
    const uint32_t *gnu_hash;         /* DT_GNU_HASH, or NULL */
    const uint32_t *hash;             /* DT_HASH, or NULL */
    const uint16_t *versions;         /* DT_VERSYM: a symbol's version, or NULL */
    uintptr_t relro_start, relro_end; /* read-only after relocation */
};

/* False for an object without dynamic symbols. */
bool object_read(struct object *object, const struct dl_phdr_info *info);

/* Is the address in one of the object's segments? */
bool object_contains(const struct dl_phdr_info *info, const void *address);

/* The address of a function that the object itself defines, in its default
 * version; NULL: it defines none. */
void *object_define(const struct object *object, const char *name);

/* The first definition of a function in load order, which at start is the order of
 * the global search: the program, preloaded libraries, the rest. NULL: none. */
void *object_first_definition(const char *name);

#endif
