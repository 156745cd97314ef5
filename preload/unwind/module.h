/*
 * The objects that addresses lie in: one module for each executable segment
 * (PT_LOAD with PF_X) of each loaded object, numbered from 1 in the order in
 * which they were first seen. An index, once given, means the same segment of
 * the same load of the same file for the life of the process and of its forked
 * children. A file that is loaded again at the same place (same build ID) has its old index.
 *
 * Kept by: a process-wide append-only table in private memory (copied by fork);
 * an entry is immutable once its index has been handed out, except `unloaded`.
 * Readers take no lock; writers claim a slot atomically.
 */
#ifndef LIBPROF_UNWIND_MODULE_H
#define LIBPROF_UNWIND_MODULE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MODULE_MAX 4096 /* index 0 is "none"; past it addresses go without a module */
#define MODULE_BUILD_ID_MAX 32

struct module {
    uintptr_t start,
        limit;            /* the segment's run-time addresses, page-aligned as in /proc/self/maps */
    uint64_t file_offset; /* of `start`, bytes */
    uintptr_t bias;       /* load bias: run-time address - link-time address */
    uint8_t build_id[MODULE_BUILD_ID_MAX];
    uint8_t build_id_size; /* bytes; 0 = the object has none */
    bool is_main;          /* the program itself */
    bool is_vdso;
    bool is_self;             /* libprof.so */
    _Atomic(bool) unloaded;   /* dlclose'd since */
    const char *path;         /* absolute, as the loader has it; owned here, immutable */
    const void *eh_frame_hdr; /* PT_GNU_EH_FRAME at run time, or NULL */
};

/*
 * The module an address lies in: its index, or 0. Finds and enters a new module
 * at its first sight. AS-safe: no lock, no allocation but raw mmap.
 */
unsigned module_find(uintptr_t pc);

/* As module_find, within what the event may still cost (stack_memory.h; NULL: no bound). 0 with
 * effort->spent means "not known". */
struct effort;
unsigned module_find_within(uintptr_t pc, struct effort *effort);

/* The module of an index handed out by module_find; NULL for 0 or out of range. */
const struct module *module_get(unsigned index);

/* One past the highest index handed out. */
unsigned module_count(void);

/*
 * Called by the dlclose hook before and after the real dlclose: modules that
 * are gone are marked, and what was cached for their addresses dies. Hook context.
 */
void module_before_unload(void);
void module_after_unload(void);

/* Bumped whenever a module vanishes. What is remembered of an address by its
 * module index needs no generation (an index is never reused); what is
 * remembered by address alone does. */
unsigned module_generation(void);

/*
 * Enters what is loaded now and marks what is gone. Does nothing where
 * `_dl_find_object` exists (glibc >= 2.35). On older systems new modules are found in the
 * loader's list; this finds those that have gone. It takes the loader's lock: call it from the
 * constructor and from hooks that run where dlopen might have been called,
 * never from a handler, malloc or the bare thread.
 */
void module_refresh(void);

/* By unwind_init only: what is loaded now, for good. */
void module_init(void);

/*
 * Who wants to hear of new modules (the ledger). Called once for each module
 * already known, then at each new one, from whatever context found it (AS-safe).
 * One sink only; NULL takes it away.
 */
void module_set_sink(void (*sink)(unsigned index, const struct module *module));

#endif
