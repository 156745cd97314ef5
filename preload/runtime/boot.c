#include "runtime/boot.h"
#include "kit/sections.h"

#include <stdatomic.h>

COLD_TABLE unsigned char boot_memory[(BOOT_PAGES + 1) * BOOT_PAGE];
static COLD_TABLE size_t boot_sizes[BOOT_PAGES]; /* of the block that starts in the page */
static _Atomic(size_t) pages_used;

static unsigned char *first_page(void)
{
    return boot_memory + (-(uintptr_t)boot_memory & (BOOT_PAGE - 1));
}

void *boot_alloc(size_t size)
{
    if (size > BOOT_PAGES * BOOT_PAGE)
        return NULL;
    size_t pages = size ? (size + BOOT_PAGE - 1) / BOOT_PAGE : 1;
    size_t first = atomic_load_explicit(&pages_used, memory_order_relaxed);
    do {
        if (first + pages > BOOT_PAGES)
            return NULL;
    } while (!atomic_compare_exchange_weak(&pages_used, &first, first + pages));
    boot_sizes[first] = size;
    return first_page() + first * BOOT_PAGE;
}

size_t boot_size(const void *block)
{
    return boot_sizes[((uintptr_t)block - (uintptr_t)first_page()) / BOOT_PAGE];
}
