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

/* GNU_HASH's function, of a string literal of at most OBJECT_LITERAL_MAX bytes as a
 * constant: what is looked up in every process is hashed once, by the compiler. */
#define OBJECT_LITERAL_MAX 28
#define OBJECT_LITERAL_HASH(s) OBJECT_HASH_28(UINT32_C(5381), s)

#define OBJECT_HASH_1(h, s, n)                                                                     \
    ((h) * ((n) < sizeof(s) - 1 ? 33 : 1) + (uint8_t)(s)[(n) < sizeof(s) - 1 ? (n) : sizeof(s) - 1])
#define OBJECT_HASH_2(h, s, n) OBJECT_HASH_1(OBJECT_HASH_1(h, s, n), s, (n) + 1)
#define OBJECT_HASH_4(h, s, n) OBJECT_HASH_2(OBJECT_HASH_2(h, s, n), s, (n) + 2)
#define OBJECT_HASH_8(h, s, n) OBJECT_HASH_4(OBJECT_HASH_4(h, s, n), s, (n) + 4)
#define OBJECT_HASH_12(h, s, n) OBJECT_HASH_4(OBJECT_HASH_8(h, s, n), s, (n) + 8)
#define OBJECT_HASH_28(h, s) OBJECT_HASH_12(OBJECT_HASH_8(OBJECT_HASH_8(h, s, 0), s, 8), s, 16)

/* The address of a function or variable that the object itself defines; NULL: it defines none.
 * hash: of the name, as OBJECT_LITERAL_HASH. The version is the default one where there is one. An
 * object without a default version (glibc's libc_malloc_debug.so has malloc@GLIBC_2.2.5
 * only) gives another one: the loader binds callers that ask for that version to it. */
void *object_define(const struct object *object, const char *name, uint32_t hash);

/* The first definition of each function in load order, which at start is the order of the
 * global search: the program, preloaded libraries, the rest. names: each with its NUL, an empty
 * one ends them; first: as many pointers, NULL for what nobody defines. One pass over the objects.
 */
void object_first_definitions(const char *names, void **first);

#endif
