/*
 * What lies in the memory of another process: bytes, mappings, loaded objects and their
 * exported functions. Read from memory, never from files: the target may live in another
 * mount namespace, or its files may have been replaced since it started.
 *
 * Needs the rights of a debugger (process_vm_readv(2)).
 */
#ifndef COLLECTOR_ATTACH_REMOTE_H
#define COLLECTOR_ATTACH_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/arch.h"

struct remote_mapping {
    uint64_t start, limit, offset, inode;
    char permissions[5]; /* as in /proc/PID/maps: "r-xp" */
    char *path;          /* "" = anonymous */
};

struct remote_maps {
    struct remote_mapping *maps;
    size_t count, cap;
};

/* False with errno set. */
bool remote_maps_read(pid_t pid, struct remote_maps *maps);
void remote_maps_free(struct remote_maps *maps);
/* The mapping that holds an address, or NULL. */
const struct remote_mapping *remote_maps_find(const struct remote_maps *maps, uint64_t address);
/* The first mapping (the one with the ELF header) of a file whose last path component
 * begins with `prefix`, or NULL. */
const struct remote_mapping *remote_maps_object(const struct remote_maps *maps, const char *prefix);

/* All `size` bytes, or false; read-only pages too. base/peek.h reads. */
bool remote_write(pid_t pid, uint64_t address, const void *buffer, size_t size);

/* The address of an exported symbol of the object whose ELF header lies at `base`; 0 if it
 * has none of that name. */
uint64_t remote_symbol(pid_t pid, uint64_t base, const char *name);

/* The loader's handle (link_map, <link.h>) of the object that lies at `base`, found in the
 * list that begins at r_debug; 0 if there is none. */
uint64_t remote_handle(pid_t pid, uint64_t r_debug, uint64_t base);

/* A file (a memfd) with what is mapped of the object that lies at `base`, each part at its own
 * offset; -1: it cannot be read. For objects whose file nobody can open. */
int remote_copy(pid_t pid, uint64_t base);

/* Looks through the executable mappings of the object whose first mapping is `object`. */
bool remote_find_code(pid_t pid, const struct remote_maps *maps,
                      const struct remote_mapping *object, struct arch_code *code);

#endif
