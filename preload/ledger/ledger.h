/*
 * Writing the ledger. One for each process: created at its first recorded event
 * (or at start, when a collector wants it), dropped by a forked child before its
 * own first event.
 *
 * Context: hooks and handlers unless said otherwise: lock-free, AS-safe, no
 * errno; the only system calls are mprotect and madvise, when a table grows.
 */
#ifndef LIBPROF_LEDGER_LEDGER_H
#define LIBPROF_LEDGER_LEDGER_H

#include "ledger/memory.h"
#include "unwind/module.h"
#include "unwind/unwind.h"
#include "wire/layout.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger_settings {
    uint64_t max_memory; /* bytes */
    uint64_t heap_rate, cpu_period_ns, block_rate_ns, mutex_fraction;
    uint64_t trace_memory; /* bytes of the trace's ring */
    bool trace_armed;      /* events are written from the start */
    unsigned planes;     /* 1..LEDGER_PLANES_MAX */
    uint32_t linked_functions; /* of an allocator in the program that are watched */
    bool own_malloc;     /* the program brings a malloc that precedes ours */
    unsigned asked_by;   /* as in the header */
    const char *dir;     /* the same; NULL: none */
    const char *exe;     /* absolute path */
    const char *program; /* the name it was started by; NULL: the last part of exe */
    const char *cmdline; /* cmdline_size bytes, arguments with their NULs */
    size_t cmdline_size;
};

/*
 * Makes the ledger in a memfd and fills its header; false when the system gives
 * no memory. *fd: the descriptor (O_CLOEXEC), which the caller passes on or
 * just closes; -1 where memfd_create is refused or RLIMIT_FSIZE is in the way: the memory
 * is then anonymous and can't be handed over.
 * Context: not reentrant; the caller sees to it that one thread does it.
 */
bool ledger_create(const struct ledger_settings *settings, int *fd);

/* Takes the mapping out of this process (a forked child's view of its parent's). */
void ledger_drop(void);

/*
 * The site of an event, found or entered. frames: leaf first. 0 when the ledger
 * is full (counted as LOST_MEMORY).
 */
uint32_t ledger_site(enum ledger_kind kind, uint64_t key, const uint64_t *frames, unsigned depth,
                     enum unwind_end end);

/* The same, where hash_frames (kit/hash.h) of the stack is known already. */
uint32_t ledger_site_hashed(enum ledger_kind kind, uint64_t key, const uint64_t *frames,
                            unsigned depth, enum unwind_end end, uint64_t stack_hash);

/* A stack alone: its reference, or 0 when full. */
uint32_t ledger_stack(const uint64_t *frames, unsigned depth, enum unwind_end end);

/* Enters a thread: its index, or 0 when the table is full. name may be NULL. */
uint32_t ledger_thread(uint32_t tid, uint32_t creator, const char *name);

/* A thread has ended that nothing refers to but its entry: the entry may be given
 * to another thread once the table is full. */
void ledger_thread_release(uint32_t index);

struct ledger_thread *ledger_thread_get(uint32_t index); /* NULL for 0 */

/* Copies length bytes and a NUL into the string table: a reference, or 0. */
uint32_t ledger_string(const char *text, size_t length);

/* Enters a module under its index: a sink for module_set_sink. */
void ledger_module(unsigned index, const struct module *module);

static inline void ledger_count(enum ledger_stat stat, uint64_t n)
{
    if (ledger_exists())
        atomic_fetch_add_explicit(&ledger->stats[stat], n, memory_order_relaxed);
}

#endif
