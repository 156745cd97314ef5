#include "sample/core/planes.h"

/* Planes in use by one thread each: a bit for each plane. The last plane is
 * never owned: it serves all threads that came too late for one of their own.
 * Belongs to one process: a forked child starts from an empty mask. */
static _Atomic(uint64_t) planes_taken; /* high 32 bits: epoch, low 32: mask */

static unsigned count = LEDGER_PLANES_MAX;

void planes_start(unsigned wanted)
{
    count = wanted < LEDGER_PLANES_MAX ? wanted : LEDGER_PLANES_MAX;
}

unsigned planes_count(void)
{
    return count;
}

void planes_share(struct thread_state *self)
{
    self->plane = (uint8_t)(count - 1);
    self->plane_owned = false;
}

void planes_take(struct thread_state *self)
{
    unsigned shared = count - 1;
    planes_share(self);
    uint64_t old = atomic_load(&planes_taken), wanted;
    unsigned plane;
    do {
        uint32_t mask = old >> 32 == self->epoch ? (uint32_t)old : 0;
        plane = (unsigned)__builtin_ctz(~mask);
        if (plane >= shared)
            return;
        wanted = (uint64_t)self->epoch << 32 | mask | 1u << plane;
    } while (!atomic_compare_exchange_weak(&planes_taken, &old, wanted));
    self->plane = (uint8_t)plane;
    self->plane_owned = true;
}

void planes_give(struct thread_state *self, bool present)
{
    if (!self->plane_owned || !present)
        return;
    uint64_t bit = UINT64_C(1) << self->plane;
    planes_share(self);
    uint64_t old = atomic_load(&planes_taken);
    while (old >> 32 == self->epoch &&
           !atomic_compare_exchange_weak(&planes_taken, &old, old & ~bit))
        ;
}
