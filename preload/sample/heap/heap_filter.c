#include "sample/heap/heap_filter.h"
#include "kit/mappings.h"
#include "kit/sys.h"
#include "runtime/boot.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#define PAGE ((size_t)4096)

/* A filter with one count, laid out like struct heap_filter. */
struct single {
    _Atomic(uint64_t) mask;
    _Atomic(uint8_t) counts[8];
};
_Static_assert(offsetof(struct single, counts) == offsetof(struct heap_filter, counts), "layout");

/* Never written to: only the mapped table is. */
static const struct single every_block = {0, {1}};
static const struct single no_block = {0, {0}};
#define EVERY ((struct heap_filter *)(uintptr_t)&every_block)
#define NONE ((struct heap_filter *)(uintptr_t)&no_block)

struct heap_filter *_Atomic heap_filter;  /* NULL before the start */
static struct heap_filter *_Atomic table; /* the counts; NULL until a block is tracked */
static _Atomic(bool) boot_used;
static uint64_t sample_rate;

/* How many counts the table gets: see heap_filter.h. */
static uint64_t table_counts(void)
{
    struct sysinfo system; /* sysinfo(2) */
    memset(&system, 0, sizeof system);
    sys_call1(SYS_sysinfo, &system);
    uint64_t memory = (uint64_t)system.totalram * system.mem_unit;
    uint64_t wanted = memory / (sample_rate ? sample_rate : 1) * 16;
    uint64_t counts = HEAP_FILTER_MIN;
    while (counts < wanted && counts < HEAP_FILTER_MAX)
        counts *= 2;
    return counts;
}

static void change(struct heap_filter *filter, const void *block, int by)
{
    _Atomic(uint8_t) *count = &filter->counts[heap_filter_hash(block) & filter->mask];
    uint8_t seen = atomic_load_explicit(count, memory_order_relaxed);
    /* A count that has reached its limit is not known any more: it stays. */
    while (seen != HEAP_FILTER_KEPT &&
           !atomic_compare_exchange_weak(count, &seen, (uint8_t)(seen + by)))
        ;
}

static void keep_boot(struct heap_filter *filter)
{
    for (size_t at = 0; at < sizeof boot_memory; at += BOOT_PAGE)
        for (size_t inside = 0; inside < BOOT_PAGE; inside += 512)
            atomic_store(
                &filter->counts[heap_filter_hash(boot_memory + at + inside) & filter->mask],
                HEAP_FILTER_KEPT);
}

/* The counts begin with a page, so that a child can have them zeroed without the mask. */
static struct heap_filter *table_map(void)
{
    if (sys_forbidden())
        return NULL;
    uint64_t counts = table_counts();
    unsigned char *memory = mappings_map(PAGE + counts);
    if (!memory)
        return NULL;
    sys_call3(SYS_madvise, memory, PAGE + counts, MADV_DONTDUMP);
    struct heap_filter *mine = (void *)(memory + PAGE - offsetof(struct heap_filter, counts));
    atomic_store_explicit(&mine->mask, counts - 1, memory_order_relaxed);
    struct heap_filter *before = NULL;
    if (atomic_compare_exchange_strong(&table, &before, mine))
        return mine;
    mappings_unmap(memory, PAGE + counts); /* another thread was faster */
    return before;
}

static struct heap_filter *table_ready(void)
{
    struct heap_filter *mapped = atomic_load_explicit(&table, memory_order_acquire);
    if (!mapped && !(mapped = table_map()))
        return NULL;
    if (atomic_load_explicit(&heap_filter, memory_order_relaxed) != mapped) {
        /* Whoever hands out boot memory says so first and looks for the table then. */
        if (atomic_load(&boot_used))
            keep_boot(mapped);
        atomic_store(&heap_filter, mapped);
    }
    return mapped;
}

void heap_filter_start(bool on, bool every, uint64_t rate)
{
    struct heap_filter *mapped = atomic_load(&table), *before = NONE;
    sample_rate = rate;
    /* A forked child tracks none of its parent's blocks. */
    if (mapped && !atomic_load(&boot_used))
        sys_call3(SYS_madvise, mapped->counts, mapped->mask + 1, MADV_DONTNEED);
    atomic_store(&heap_filter, on && every ? EVERY : on && mapped ? mapped : NONE);
    if (atomic_load(&boot_used))
        atomic_compare_exchange_strong(&heap_filter, &before, EVERY);
}

bool heap_filter_add(const void *block)
{
    struct heap_filter *filter = table_ready();
    if (filter)
        change(filter, block, 1);
    return filter != NULL;
}

void heap_filter_remove(const void *block)
{
    struct heap_filter *filter = atomic_load_explicit(&table, memory_order_acquire);
    if (filter)
        change(filter, block, -1);
}

void heap_filter_keep_boot(void)
{
    struct heap_filter *before = NONE;
    atomic_store(&boot_used, true);
    struct heap_filter *mapped = atomic_load(&table);
    if (mapped)
        keep_boot(mapped);
    atomic_compare_exchange_strong(&heap_filter, &before, EVERY);
}
