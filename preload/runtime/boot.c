#include "runtime/boot.h"

#include <stdatomic.h>

_Alignas(64) unsigned char boot_memory[BOOT_SIZE];
static _Atomic(size_t) boot_used;

void *boot_alloc(size_t size, size_t alignment)
{
    if (alignment < 16)
        alignment = 16;
    if (size > BOOT_SIZE || alignment > BOOT_SIZE)
        return NULL;
    size_t old = atomic_load_explicit(&boot_used, memory_order_relaxed);
    size_t start, end;
    do {
        /* the block's size stands in the word before it */
        start = (old + sizeof(size_t) + alignment - 1) & ~(alignment - 1);
        end = start + size;
        if (end > BOOT_SIZE)
            return NULL;
    } while (!atomic_compare_exchange_weak(&boot_used, &old, end));
    ((size_t *)(void *)(boot_memory + start))[-1] = size;
    return boot_memory + start;
}

size_t boot_size(const void *block)
{
    return ((const size_t *)block)[-1];
}
