/*
 * What an object's own headers, and its name, say of it: segments, build id, where its tables
 * are, its path. Private to preload/unwind/.
 */
#ifndef LIBPROF_UNWIND_MODULE_OBJECT_H
#define LIBPROF_UNWIND_MODULE_OBJECT_H

#include "unwind/module_table.h"

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

/* Fills in what the program headers say of the segment that holds pc: range,
 * offset, build id, tables. Memory is copied by way of the kernel where that is
 * possible. false: no executable segment there, or the object is going away; *empty is then
 * the largest range around pc, within the object, that holds no executable segment. */
struct address_range {
    uintptr_t low, high;
};
bool module_describe(const struct object *object, uintptr_t pc, struct module_entry *entry,
                     struct address_range *empty);

/* The object's absolute path, NUL-terminated, and its length; 0: none could be
 * had. is_main: the program itself. */
size_t module_path(const struct object *object, bool is_main, char path[MODULE_PATH_MAX]);

/* Copies size bytes of memory that may be going away; false if it can't be read. AS-safe. */
bool module_copy(void *to, uintptr_t from, size_t size, struct effort *effort);

/* What module_path answers for the program itself; borrowed. */
void module_set_main_path(const char *path);

#endif
