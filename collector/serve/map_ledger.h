/*
 * The memory that a process shares, into the collector's own: it comes from outside and is not
 * trusted.
 *
 * Threads: any.
 */
#ifndef COLLECTOR_SERVE_MAP_LEDGER_H
#define COLLECTOR_SERVE_MAP_LEDGER_H

#include "wire/reader.h"
#include <stdbool.h>
#include <sys/types.h>

/* What was mapped. */
struct mapped_ledger {
    void *base; /* read-only, `size` bytes */
    size_t size;
    struct ledger_view view;
    struct ledger_header *control; /* the first page, writable; NULL: it can't be */
    pid_t copied_from;             /* not 0: base is a copy of this process's memory, */
    uint64_t copied_at;            /* from this address on */
};

/* Maps a ledger whose size is said to be `claimed` bytes. NULL: done; else what is wrong with
 * it (static): then only `control` may be there, for the answer, and is to be unmapped too.
 * Doesn't close fd. */
const char *map_ledger(int fd, uint64_t claimed, struct mapped_ledger *mapped);

/* Copies the ledger that lies at an address in a process's memory, where it can't be shared:
 * process_vm_readv(2) asks for the rights of ptrace. NULL: done; else what is wrong (static). */
const char *copy_ledger(pid_t pid, uint64_t address, struct mapped_ledger *mapped);
/* Copies it again. False: the process is gone, and the copy as it was. */
bool refresh_ledger(struct mapped_ledger *mapped);

/* Gives back what map_ledger or copy_ledger made; nothing if there is nothing. */
void unmap_ledger(struct mapped_ledger *mapped);

#endif
