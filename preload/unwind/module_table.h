/*
 * The table of modules as the unwinder itself uses it, beside module.h: which modules may
 * vanish, where their tables are, and how entries come in. Private to preload/unwind/.
 */
#ifndef LIBPROF_UNWIND_MODULE_TABLE_H
#define LIBPROF_UNWIND_MODULE_TABLE_H

#include "unwind/module.h"

#include <stddef.h>

struct module_entry {
    struct module module;
    uintptr_t object_start; /* together with link_map: which load this is */
    _Atomic(const void *) link_map;
    uintptr_t cfi_low, cfi_high; /* readable memory around eh_frame_hdr */
    bool is_loader;              /* ld.so, whose start code has no tables */
    bool is_code_readable;       /* the segment may be read, not only executed */
    bool permanent;              /* loaded at the start: dlclose never takes it away */
    _Atomic(unsigned) announced; /* the sink it was last announced to, by number */
};

/* MODULE_RETURNING: somebody makes an entry that was gone current again. */
enum module_state { MODULE_PERMANENT = 0, MODULE_TRANSIENT, MODULE_GONE, MODULE_RETURNING };

/* By index, index 0 being permanent. Read at each step of a walk, hence apart
 * from the entries: 4 KiB, of which a program touches a line or two. */
extern _Atomic(uint8_t) module_states[MODULE_MAX];

/* dlcloses under way. */
extern _Atomic(unsigned) module_unloading;

/* May a cached rule of this module be used? While a dlclose is under way no
 * rule of a module that it might take is. */
static inline bool module_is_current(unsigned index)
{
    uint8_t state = atomic_load_explicit(&module_states[index], memory_order_relaxed);
    return __builtin_expect(state == MODULE_PERMANENT, 1) ||
           (state == MODULE_TRANSIENT &&
            atomic_load_explicit(&module_unloading, memory_order_acquire) == 0);
}

/* The entry of an index that was handed out; NULL for 0 or out of range. */
const struct module_entry *module_entry_get(unsigned index);

/* Changes whenever a module is entered or vanishes; so what is remembered of
 * addresses without a module is dated by it. */
unsigned module_table_version(void);

/* ---- For those who fill the table ---- */

#define MODULE_PATH_MAX 4096

/*
 * A copy of *described in the table's memory, in no slot yet, with MODULE_PATH_MAX bytes at *path
 * for its path; NULL: no room. trim: the path takes `length` bytes and its NUL; the rest is given
 * back if nobody has come after.
 */
struct module_entry *module_table_reserve(const struct module_entry *described, char **path);
void module_table_trim(const struct module_entry *entry, size_t length);

/* Puts an entry into a slot. Its index, or that of the same module if another was faster; 0: full.
 */
unsigned module_table_publish(struct module_entry *entry);

/*
 * An entry of the same segment of the same file at the same place, loaded before and unloaded
 * since, is current again: what was recorded with its index is as true of the new load.
 * Its index, or 0. Only the build ID tells that the file is the same.
 */
unsigned module_table_take_back(const struct module_entry *described);

/* The index of the current module that holds pc, or 0. Of those entered so far. */
unsigned module_table_search(uintptr_t pc);

/* As module_entry_get, for an index that is not 0: to change what may change. */
struct module_entry *module_table_entry(unsigned index);

/* Tells the sink of a module that it hasn't heard of. */
void module_table_announce(unsigned index, struct module_entry *entry);

/* The module was unloaded. */
void module_table_mark_gone(unsigned index, struct module_entry *entry);

#endif
