/*
 * What the loader knows of objects: which one an address lies in, and which are there for good.
 * Asks _dl_find_object, which takes no lock; glibc before 2.35 hasn't got it, and its
 * objects are found by module_refresh (module.h) and in its list. Private to preload/unwind/. AS-safe.
 */
#ifndef LIBPROF_UNWIND_MODULE_LOADER_H
#define LIBPROF_UNWIND_MODULE_LOADER_H

#include "unwind/module_object.h"

/* Is there _dl_find_object? */
bool module_loader_can_find(void);

/* The object that pc lies in, the vDSO included; not yet what complete fills in. false: none. */
bool module_loader_find(uintptr_t pc, struct object *object, struct effort *effort);

/* Without _dl_find_object: the same by the loader's list, complete, for an object that was loaded
 * since the last module_refresh. A checked read for each such object. */
bool module_loader_search(uintptr_t pc, struct object *object, struct effort *effort);

/* What the loader's own record says of an object that was found. false: it is going away. */
bool module_loader_complete(struct object *object);

/* Is the load that this module belongs to still where it was? false without _dl_find_object. */
bool module_loader_still_has(const struct module_entry *entry);

/* Was it loaded at the start? Then dlclose never takes it away. */
bool module_loader_is_initial(const void *link_map);

/* Is it the program: the first object of its namespace that the loader has no name for? */
bool module_loader_is_program(bool first, const char *name, struct effort *effort);

/* Does pc lie in the vDSO? */
bool module_loader_is_vdso(uintptr_t pc);

/* Without _dl_find_object: the first object of all, which is the program. The first call counts. */
void module_loader_set_first(const void *link_map);

/* Constructor: which objects are there from the start, and where the vDSO is. */
void module_loader_init(void);

#endif
