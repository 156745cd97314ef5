/*
 * Reading a ledger: this process's own (the dump), another process's mapped
 * memory (the collector), or what a dead process left. The memory is untrusted
 * and may change while it is read: every offset, count and length is read once,
 * checked against the bounds taken at ledger_view_open, and only then used.
 * Nothing read here leads outside [base, base + size).
 *
 * Context: AS-safe, no allocation, no lock; any number of readers at once.
 */
#ifndef LIBPROF_WIRE_READER_H
#define LIBPROF_WIRE_READER_H

#include "wire/layout.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger_view {
    const struct ledger_header *header;
    const unsigned char *base;
    uint64_t size; /* bytes that may be read */
    uint32_t planes;
    struct {
        uint64_t offset, size;
    } sections[LEDGER_SECTIONS]; /* checked copies */
};

/* base: the mapping (any copy is to begin on a multiple of 64), size: its length in bytes. NULL on
 * success, else what is wrong, a static string. The view borrows the memory. */
const char *ledger_view_open(struct ledger_view *view, const void *base, uint64_t size);

/* A site with its counters summed over the planes. */
struct ledger_site_view {
    enum ledger_kind kind;
    uint64_t key;
    uint32_t stack;
    uint64_t count, value; /* heap: value <= count always, frees are read before allocations */
    uint64_t peak;         /* heap: objects in use at the peak */
    uint64_t temporary;    /* heap */
};

/* One past the highest site; sites are numbered from 1. Grows while the target runs. */
uint32_t ledger_view_sites(const struct ledger_view *view);

/* False for a site that isn't filled or is malformed. */
bool ledger_view_site(const struct ledger_view *view, uint32_t site, struct ledger_site_view *out);

struct ledger_stack_view {
    const uint64_t *frames; /* in the ledger's memory: read each one once */
    uint32_t depth;         /* 0..UNWIND_MAX_DEPTH */
    uint32_t end;           /* enum unwind_end */
};

/* A stack by its number, 1 and up. False: it isn't filled, or is malformed. */
bool ledger_view_stack(const struct ledger_view *view, uint32_t stack,
                       struct ledger_stack_view *out);

struct ledger_module_view {
    uint64_t start, limit, file_offset, bias;
    uint8_t build_id[32];
    unsigned build_id_size;
    bool is_main, is_vdso, is_self;
    const char *path; /* in the ledger, NUL-terminated; "" = unknown */
};

/* One past the highest module; numbered from 1. */
uint32_t ledger_view_modules(const struct ledger_view *view);
bool ledger_view_module(const struct ledger_view *view, uint32_t module,
                        struct ledger_module_view *out);

struct ledger_thread_view {
    uint32_t tid, creator;
    char name[LEDGER_THREAD_NAME + 1];
    uint64_t start_ns, end_ns, cpu_ns;
    uint32_t walk, walk_stack;
    uint32_t asked; /* the walk request that the following were found by */
    uint64_t waiting_ns;
    int32_t syscall;
    char wchan[LEDGER_THREAD_WCHAN + 1];
    char state;
    uint32_t wait_site;     /* the block site of the lock wait that is going on; 0 = none */
    uint64_t wait_since_ns; /* CLOCK_MONOTONIC */
};

/* One past the highest thread; numbered from 1. Key 0 stands for those beyond the table. */
uint32_t ledger_view_threads(const struct ledger_view *view);
bool ledger_view_thread(const struct ledger_view *view, uint32_t thread,
                        struct ledger_thread_view *out);

/* A string and its length without the final NUL; "" and 0 for a bad reference. */
const char *ledger_view_string(const struct ledger_view *view, uint32_t string, size_t *length);

/* A statistic's sum over the planes; the sentence that tells it in a profile's comments (static);
 * does it count events that are missing from the profile? */
uint64_t ledger_view_stat(const struct ledger_view *view, enum ledger_stat stat);
const char *ledger_stat_sentence(enum ledger_stat stat);
bool ledger_stat_is_loss(enum ledger_stat stat);

/*
 * How many allocations one sampled allocation of `size` bytes stands for:
 * 1/(1-e^(-size/rate)), exactly 1 for rate <= 1. Go's scaleHeapSample.
 */
double ledger_heap_weight(uint64_t size, uint64_t rate);

#endif
