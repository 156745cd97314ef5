/*
 * What the unwinder itself needs to know of modules, beside module.h: whether
 * they may vanish, and where their tables are. Private to preload/unwind/.
 */
#ifndef LIBPROF_UNWIND_MODULE_PRIVATE_H
#define LIBPROF_UNWIND_MODULE_PRIVATE_H

#include "unwind/module.h"

#include <stddef.h>

/* What module_find knows of an object, copied out of the loader's and the
 * object's own memory. */
struct object {
    uintptr_t map_start, map_limit;
    uintptr_t bias;
    const void *link_map;      /* NULL: the vDSO */
    struct effort *effort;     /* of the event that asks; NULL: no bound */
    uintptr_t eh_frame_hdr;    /* 0: none */
    const char *name;          /* the loader's; may be "" or NULL */
    uintptr_t program_headers; /* 0: look for the ELF header at map_start */
    unsigned program_header_count;
    bool is_program; /* the main program */
};

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

const struct module_entry *module_entry_get(unsigned index);

/*
 * The tables of a module are about to be read. true: by plain loads, which are
 * safe until module_read_end. false: a dlclose is under way and might take the
 * module, so they must be copied by way of the kernel; no module_read_end then.
 * Wait-free; nests.
 */
bool module_read_begin(const struct module_entry *entry);
void module_read_end(const struct module_entry *entry);

/* Changes whenever a module is entered or vanishes; so what is remembered of
 * addresses without a module is dated by it. */
unsigned module_table_version(void);

/* fork's child: the readers and unloaders of the parent aren't here. */
void module_after_fork_child(void);

/* Constructor: which objects are permanent, the program's path, the vDSO. */
void module_init(void);

/* Fills in what the program headers say of the segment that holds pc: range,
 * offset, build id, tables. Memory is copied by way of the kernel where that is
 * possible. false: no executable segment there, or the object is going away; *empty is then
 * the largest range around pc, within the object, that holds no executable segment. */
struct address_range {
    uintptr_t low, high;
};
bool module_describe(const struct object *object, uintptr_t pc, struct module_entry *entry,
                     struct address_range *empty);

#define MODULE_PATH_MAX 4096

/* The object's absolute path, NUL-terminated, and its length; 0: none could be
 * had. is_main: the program itself. */
size_t module_path(const struct object *object, bool is_main, char path[MODULE_PATH_MAX]);

/* Copies size bytes of memory that may be going away; false if it can't be read. AS-safe. */
bool module_copy(void *to, uintptr_t from, size_t size, struct effort *effort);

/* What module_path answers for the program itself; borrowed. */
void module_set_main_path(const char *path);

#endif
