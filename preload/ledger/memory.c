#include "ledger/memory.h"
#include "kit/sys.h"

#include <errno.h>
#include <sys/mman.h>

#define MEMORY_CHUNK UINT64_C(65536)      /* a system call for each so many bytes of growth */
#define MEMORY_CHUNK_SMALL UINT64_C(8192) /* counters: sixteen planes, most of them little used */
#define MADV_POPULATE_WRITE_NR 23         /* madvise(2), Linux 5.14; absent from older headers */

struct ledger_header *ledger;

static uint64_t round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* Threads that are about to make part of the address space accessible, and the word
 * that nobody may begin to: what memory_trim gives back is the program's at once. */
static _Atomic(uint32_t) growing;
static _Atomic(bool) trimming;

/*
 * Has the section's first `end` bytes counted, of `wanted` that would be good to have. Once each:
 * threads that grow a large index level at the same time would seem to fill the ledger.
 */
static bool claim(struct ledger_section *s, uint64_t end, uint64_t wanted)
{
    uint64_t have = atomic_load(&s->claimed);
    while (have < end) {
        uint64_t growth = wanted - have, before = have;
        bool fits =
            atomic_fetch_add(&ledger->total_reserved, growth) + growth <= ledger->max_memory;
        if (fits && atomic_compare_exchange_strong(&s->claimed, &have, wanted))
            return true;
        atomic_fetch_sub(&ledger->total_reserved, growth);
        have = atomic_load(&s->claimed);
        if (!fits && have == before)
            return false;
    }
    return true;
}

static bool grow(enum ledger_section_id section, uint64_t end)
{
    struct ledger_section *s = &ledger->sections[section];
    if (end > s->size)
        return false;
    uint64_t wanted = round_up(end, section >= LEDGER_COUNTERS ? MEMORY_CHUNK_SMALL : MEMORY_CHUNK);
    if (wanted > s->size)
        wanted = s->size;
    if (!claim(s, end, wanted))
        return false;
    uint64_t have = atomic_load(&s->reserved), high = atomic_load(&s->claimed);
    if (have >= end)
        return true;
    /* Other threads may be at the same: each makes all that is claimed, so whoever ends first may
     * say so. */
    if (!sys_forbidden()) {
        char *at = (char *)memory_at(section, have);
        if (sys_call3(SYS_mprotect, at, high - have, PROT_READ | PROT_WRITE) < 0)
            return false;
        /* Only this says that there is no memory. An older kernel (EINVAL), a sandbox (ENOSYS,
         * EPERM) or a busy moment (EAGAIN, EINTR) leave it to the first touch. */
        long ret = sys_call3(SYS_madvise, at, high - have, MADV_POPULATE_WRITE_NR);
        if (ret == -ENOMEM || ret == -EFAULT || ret == -EHWPOISON)
            return false; /* it stays counted: there is no memory anyway */
    }
    while (have < high && !atomic_compare_exchange_weak(&s->reserved, &have, high))
        ;
    return true;
}

bool memory_reserve_slow(enum ledger_section_id section, uint64_t end)
{
    atomic_fetch_add(&growing, 1);
    bool done = !atomic_load(&trimming) && grow(section, end);
    atomic_fetch_sub(&growing, 1);
    return done;
}

#define PAGE UINT64_C(4096)
#define TRIM_PATIENCE 1000 /* turns; growing takes a few microseconds */

void memory_trim(void)
{
    if (!ledger_exists() || ledger->pid != (uint32_t)sys_getpid() || sys_forbidden())
        return;
    if (atomic_exchange(&trimming, true))
        return;
    unsigned turns = 0;
    while (atomic_load(&growing) && ++turns < TRIM_PATIENCE)
        sys_call0(SYS_sched_yield);
    for (unsigned n = 0; n < LEDGER_SECTIONS && turns < TRIM_PATIENCE; n++) {
        struct ledger_section *s = &ledger->sections[n];
        uint64_t size = s->size;
        uint64_t kept = round_up(atomic_load(&s->reserved), PAGE) +
                        (n >= LEDGER_COUNTERS ? MEMORY_CHUNK_SMALL : MEMORY_CHUNK);
        if (kept >= size)
            continue;
        atomic_store(&s->size, kept);
        sys_unmap((char *)ledger + s->offset + kept, size - kept);
    }
    atomic_store(&trimming, false);
}

void memory_unmap(struct ledger_header *header)
{
    struct {
        uint64_t offset, size;
    } sections[LEDGER_SECTIONS];
    for (unsigned n = 0; n < LEDGER_SECTIONS; n++) {
        sections[n].offset = header->sections[n].offset;
        sections[n].size = header->sections[n].size;
    }
    for (unsigned n = 0; n < LEDGER_SECTIONS; n++)
        sys_unmap((char *)header + sections[n].offset, sections[n].size);
    sys_unmap(header, round_up(sizeof *header, PAGE));
    atomic_store(&growing, 0); /* a forked child hasn't the threads that were at it */
    atomic_store(&trimming, false);
}

bool memory_find(uintptr_t start, uintptr_t end, struct mappings_range *range)
{
    if (!ledger_exists())
        return false;
    uintptr_t base = (uintptr_t)ledger;
    struct mappings_range part = {base, base + round_up(sizeof *ledger, PAGE)};
    for (unsigned n = 0;; n++) { /* sections lie in the order of their addresses */
        if (part.start < end && part.end > start) {
            *range = part;
            return true;
        }
        if (n == LEDGER_SECTIONS)
            return false;
        part.start = base + ledger->sections[n].offset;
        part.end = part.start + atomic_load(&ledger->sections[n].size);
    }
}

uint64_t memory_append(enum ledger_section_id section, uint64_t size)
{
    struct ledger_section *s = &ledger->sections[section];
    uint64_t offset = atomic_load_explicit(&s->used, memory_order_relaxed);
    do {
        if (size > s->size || offset > s->size - size || !memory_reserve(section, offset + size))
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(&s->used, &offset, offset + size,
                                                    memory_order_acq_rel, memory_order_relaxed));
    return offset;
}

void memory_open_all(void)
{
    for (unsigned n = 0; ledger_exists() && n < LEDGER_SECTIONS; n++)
        sys_call3(SYS_mprotect, (char *)memory_at(n, 0), ledger->sections[n].size,
                  PROT_READ | PROT_WRITE);
}
