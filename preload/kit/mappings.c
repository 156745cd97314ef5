#include "kit/mappings.h"
#include "kit/sections.h"
#include "kit/sys.h"

#include <stdatomic.h>
#include <sys/mman.h>

/* The live table of a heap of 16 GiB takes 4,096; what does not fit stays mapped. */
#define MAPPINGS_MAX 8192

#define PAGE ((size_t)4096)

struct mapping {
    _Atomic(uintptr_t) start; /* 0 = free */
    size_t size;
};

static COLD_TABLE struct mapping mappings[MAPPINGS_MAX];
static _Atomic(size_t) used; /* entries that have ever been taken */

/* A page that isn't locked, of which unlocked mappings are made; NULL: nothing is locked. */
static _Atomic(void *) unlocked_page;

static void note(void *memory, size_t size)
{
    uintptr_t none = 0;
    size_t n = atomic_load(&used);
    if (n < MAPPINGS_MAX && (n = atomic_fetch_add(&used, 1)) < MAPPINGS_MAX) {
        mappings[n].size = size;
        atomic_store(&mappings[n].start, (uintptr_t)memory);
        return;
    }
    for (n = 0; n < MAPPINGS_MAX; n++, none = 0)
        if (atomic_compare_exchange_strong(&mappings[n].start, &none, (uintptr_t)memory)) {
            mappings[n].size = size;
            return;
        }
}

/*
 * MCL_FUTURE is about what mmap makes, mremap keeps what a mapping was: MREMAP_DONTUNMAP
 * (mremap(2), Linux 5.7) gives a second page like the first, which then grows. On older
 * kernels the kernel's limit decides, and without access nothing is filled before the unlocking.
 */
static void *map_unlocked(void *page, size_t size)
{
    void *memory =
        (void *)sys_call5(SYS_mremap, page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    if (!sys_is_error(memory)) {
        void *grown = (void *)sys_call4(SYS_mremap, memory, PAGE, size, MREMAP_MAYMOVE);
        if (!sys_is_error(grown))
            return grown;
        sys_unmap(memory, PAGE);
    }
    memory = (void *)sys_call6(SYS_mmap, 0, (long)size, PROT_NONE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sys_is_error(memory))
        return NULL;
    sys_call2(SYS_munlock, memory, size);
    sys_call3(SYS_mprotect, memory, size, PROT_READ | PROT_WRITE);
    return memory;
}

void *mappings_map(size_t size)
{
    void *page = atomic_load_explicit(&unlocked_page, memory_order_acquire);
    void *memory = page ? map_unlocked(page, size) : sys_map_private(size);
    if (memory)
        note(memory, size);
    return memory;
}

void mappings_keep_unlocked(void)
{
    void *none = NULL, *page = atomic_load(&unlocked_page) ? NULL : mappings_map(PAGE);
    if (page && !atomic_compare_exchange_strong(&unlocked_page, &none, page))
        mappings_unmap(page, PAGE); /* another thread was first */
}

void mappings_unmap(void *memory, size_t size)
{
    size_t count = atomic_load(&used);
    uintptr_t start = (uintptr_t)memory;
    for (size_t n = 0; n < count && n < MAPPINGS_MAX; n++)
        if (atomic_compare_exchange_strong(&mappings[n].start, &start, 0))
            break;
        else
            start = (uintptr_t)memory;
    sys_unmap(memory, size);
}

bool mappings_find(uintptr_t start, uintptr_t end, struct mappings_range *range)
{
    size_t count = atomic_load(&used);
    bool found = false;
    for (size_t n = 0; n < count && n < MAPPINGS_MAX; n++) {
        uintptr_t from = atomic_load(&mappings[n].start);
        uintptr_t to = from + (mappings[n].size + PAGE - 1) / PAGE * PAGE;
        if (from && from < end && to > start && (!found || from < range->start)) {
            *range = (struct mappings_range){from, to};
            found = true;
        }
    }
    return found;
}

void mappings_unmap_all(void)
{
    size_t count = atomic_load(&used);
    for (size_t n = 0; n < count && n < MAPPINGS_MAX; n++) {
        uintptr_t start = atomic_exchange(&mappings[n].start, 0);
        if (start)
            sys_unmap((void *)start, mappings[n].size);
    }
}
