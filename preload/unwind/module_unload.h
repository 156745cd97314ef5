/*
 * Reading tables that dlclose might take away (module_before_unload, module.h, waits for those
 * who read). Private to preload/unwind/.
 */
#ifndef LIBPROF_UNWIND_MODULE_UNLOAD_H
#define LIBPROF_UNWIND_MODULE_UNLOAD_H

#include "unwind/module_table.h"

/*
 * The tables of a module are about to be read. true: by plain loads, which are
 * safe until module_read_end. false: a dlclose is under way and might take the
 * module, so they must be copied by way of the kernel; no module_read_end then.
 * Wait-free; nests.
 */
bool module_read_begin(const struct module_entry *entry);
void module_read_end(const struct module_entry *entry);

/* fork's child: the readers and unloaders of the parent aren't here. */
void module_after_fork_child(void);

#endif
