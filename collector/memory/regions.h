/* The mappings of a process, with what of each is in memory (proc_pid_smaps(5)). */
#ifndef COLLECTOR_MEMORY_REGIONS_H
#define COLLECTOR_MEMORY_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct region {
    uint64_t start, limit;
    char permissions[5]; /* "rw-p" */
    char *name;          /* a path, "[heap]", "[anon:x]"; "" for anonymous memory */
    bool has_inode;      /* it is of a file */
    /* Bytes. */
    uint64_t resident, swapped, dirty; /* dirty: private, written to */
};

struct regions {
    struct region *list; /* by address */
    size_t n, cap;
    uint64_t page_tables; /* bytes, VmPTE of proc_pid_status(5) */
    uint64_t peak;        /* VmHWM */
};

/* False with *err: no such process, or it may not be looked at. */
bool regions_read(pid_t pid, struct regions *regions, struct error *err);
void regions_free(struct regions *regions);

#endif
