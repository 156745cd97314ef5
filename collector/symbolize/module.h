/*
 * Symbols of one mapping: finds the file, checks that it is the right one, and
 * looks addresses up in the cache, its symbol table and its DWARF.
 */
#ifndef COLLECTOR_SYMBOLIZE_MODULE_H
#define COLLECTOR_SYMBOLIZE_MODULE_H

#include "profile/profile.h"
#include "symbolize/process_files.h"
#include "symbolize/symbol_table.h"

struct module;

/* Called after each address; n of total are done. */
typedef void module_progress_fn(void *arg, size_t n, size_t total);

/* Never NULL: module_reason() tells if there is nothing to look into. files: of the process,
 * if it still runs, or NULL. */
struct module *module_open(const struct profile_mapping *m, const struct process_files *files,
                           bool use_cache);
/* Run-time addresses, sorted. */
void module_resolve(struct module *m, const uint64_t *addresses, size_t n,
                    module_progress_fn *progress, void *arg);
/* After module_resolve(); NULL: nothing known of that run-time address. Without frames:
 * only where the function starts is known. */
const struct symbol *module_find(const struct module *m, uint64_t address);
/* Run-time minus link-time addresses. */
uint64_t module_bias(const struct module *m);
/* Why names are missing and what would help; NULL: there is no reason known. */
const char *module_reason(const struct module *m);
/* Why lines and inlined functions are missing though there is debug information; NULL: they
 * are not. After module_resolve(). */
const char *module_note(const struct module *m);
/* The path of a file that lacks symbols, for no other reason; else NULL. */
const char *module_stripped(const struct module *m);
/* Stores the cache. */
void module_close(struct module *m);

#endif
