#include "kit/mappings.h"
#include "kit/sections.h"
#include "kit/sys.h"

#include <stdatomic.h>
#include <stdbool.h>

/* The live table of a heap of 16 GiB takes 4,096; what does not fit stays mapped. */
#define MAPPINGS_MAX 8192

struct mapping {
    _Atomic(uintptr_t) start; /* 0 = free */
    size_t size;
};

static COLD_TABLE struct mapping mappings[MAPPINGS_MAX];
static _Atomic(size_t) used; /* entries that have ever been taken */
static bool noting;          /* immutable once the constructor is done */

void mappings_note(void)
{
    noting = true;
}

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

void *mappings_map(size_t size)
{
    void *memory = sys_map_private(size);
    if (memory && noting)
        note(memory, size);
    return memory;
}

void mappings_unmap(void *memory, size_t size)
{
    size_t count = atomic_load(&used);
    uintptr_t start = (uintptr_t)memory;
    for (size_t n = 0; noting && n < count && n < MAPPINGS_MAX; n++)
        if (atomic_compare_exchange_strong(&mappings[n].start, &start, 0))
            break;
        else
            start = (uintptr_t)memory;
    sys_unmap(memory, size);
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
