#include "sample/core/scratch.h"
#include "kit/mappings.h"
#include "kit/sys.h"
#include "unwind/module.h"
#include "unwind/unwind.h"

#include <stdatomic.h>

#define POOL_SLOTS 64 /* walks at one moment: more than there are processors, mostly */

static _Atomic(uint64_t) taken; /* a bit for each slot */
static _Atomic(uintptr_t) pool;

static uint64_t *pool_memory(void)
{
    uintptr_t memory = atomic_load_explicit(&pool, memory_order_acquire);
    if (!memory && !sys_forbidden()) {
        size_t size = (size_t)POOL_SLOTS * UNWIND_MAX_DEPTH * sizeof(uint64_t);
        void *mine = mappings_map(size);
        if (mine && atomic_compare_exchange_strong(&pool, &memory, (uintptr_t)mine))
            memory = (uintptr_t)mine;
        else if (mine)
            mappings_unmap(mine, size);
    }
    return (uint64_t *)memory;
}

void scratch_open(struct scratch *scratch, unsigned depth)
{
    scratch->frames = scratch->inline_frames;
    scratch->max = depth < SCRATCH_INLINE ? depth : SCRATCH_INLINE;
    scratch->slot = 0;
    if (depth <= SCRATCH_INLINE)
        return;
    uint64_t *memory = pool_memory();
    uint64_t mask = atomic_load_explicit(&taken, memory_order_relaxed);
    unsigned slot;
    do {
        if (!memory || mask == UINT64_MAX)
            return;
        slot = (unsigned)__builtin_ctzll(~mask);
    } while (!atomic_compare_exchange_weak(&taken, &mask, mask | UINT64_C(1) << slot));
    scratch->slot = slot + 1;
    scratch->frames = memory + (size_t)slot * UNWIND_MAX_DEPTH;
    scratch->max = depth;
}

void scratch_close(struct scratch *scratch)
{
    if (scratch->slot)
        atomic_fetch_and(&taken, ~(UINT64_C(1) << (scratch->slot - 1)));
}

void scratch_reset(void)
{
    atomic_store(&taken, 0);
}

unsigned scratch_drop_own(struct scratch *scratch, unsigned depth)
{
    unsigned kept = 0;
    for (unsigned n = 0; n < depth; n++) {
        const struct module *module = module_get(UNWIND_MODULE(scratch->frames[n]));
        if (!module || !module->is_self)
            scratch->frames[kept++] = scratch->frames[n];
    }
    return kept;
}
