/* Blocks that one thread enters and another one takes out. Argument: exact or sampled. */
#include "ledger/memory.h"
#include "sample/heap/heap_filter.h"
#include "sample/heap/live.h"
#include "sample/heap/live_sampled.h"
#include "stress.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 200000
#define SLOTS 64      /* blocks on their way from hand to hand */
#define REGIONS 40    /* that threads make at the same moment */
#define BLOCKS 100000 /* each thread's own addresses */

static _Atomic(uintptr_t) slots[SLOTS];
static _Atomic(uint64_t) inserted, removed;
static bool exact;

/* No two blocks of any threads start in one granule; a region has blocks of all threads. */
static uintptr_t address_of(unsigned thread, unsigned n)
{
    uintptr_t region = n % REGIONS, inside = (uintptr_t)(n / REGIONS) * STRESS_THREADS + thread;
    return UINT64_C(0x7f0000000000) + (region << LIVE_REGION_SHIFT) +
           inside * 8 % (UINT64_C(1) << LIVE_REGION_SHIFT);
}

static uint32_t site_of(uintptr_t address)
{
    return (uint32_t)(address * UINT64_C(0x9e3779b97f4a7c15) >> 44) | 1;
}

static bool put_in(uintptr_t address)
{
    if (exact)
        return live_insert((void *)address, site_of(address)) == 0;
    return heap_filter_add((void *)address) &&
           live_sampled_insert((void *)address, site_of(address)) == 0;
}

static uint32_t remove_from(uintptr_t address)
{
    return exact ? live_remove((void *)address) : live_sampled_remove((void *)address);
}

static void take_out(uintptr_t address)
{
    live_entry *entry = live_find((void *)address);
    stress_check(exact ? entry && live_is_set(entry)
                       : heap_may_track((void *)address) && live_sampled_has((void *)address));
    stress_check(remove_from(address) == site_of(address));
    if (!exact)
        heap_filter_remove((void *)address);
    atomic_fetch_add_explicit(&removed, 1, memory_order_relaxed);
}

static void exchange_blocks(unsigned thread, void *argument)
{
    static _Atomic(bool) busy[STRESS_THREADS][BLOCKS];
    const unsigned blocks = *(const unsigned *)argument;
    uint64_t seed = thread;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned n = stress_random(&seed) % blocks;
        uintptr_t mine = address_of(thread, n);
        if (!atomic_load_explicit(&busy[thread][n], memory_order_relaxed)) {
            atomic_store_explicit(&busy[thread][n], true, memory_order_relaxed);
            stress_check(put_in(mine));
            atomic_fetch_add_explicit(&inserted, 1, memory_order_relaxed);
            /* whoever finds one there frees it; its address isn't used again */
            uintptr_t other = atomic_exchange(&slots[stress_random(&seed) % SLOTS], mine);
            if (other)
                take_out(other);
        }
        /* a block nobody has entered */
        stress_check(remove_from(address_of(thread, n) + (UINT64_C(1) << 40)) == 0);
    }
}

int main(int argc, char **argv)
{
    exact = argc < 2 || strcmp(argv[1], "sampled") != 0;
    unsigned blocks = exact ? BLOCKS : BLOCKS / 10;
    live_cap = UINT64_C(1) << 30;
    heap_filter_start(true, exact, 524288);
    stress_run(exchange_blocks, &blocks);
    for (unsigned n = 0; n < SLOTS; n++)
        if (slots[n])
            take_out(slots[n]);
    stress_check(inserted == removed && inserted > blocks);
    /* Each leaf was counted once, whoever made it. */
    uint64_t leaf = (UINT64_C(1) << (LIVE_REGION_SHIFT - LIVE_GRANULE_SHIFT)) * sizeof(live_entry);
    if (exact)
        stress_check(atomic_load(&live_table)->used == leaf * REGIONS);
    else
        for (uint64_t n = 0; n <= heap_filter->mask; n++)
            stress_check(heap_filter->counts[n] == 0);
    fprintf(stderr, "%lu blocks\n", (unsigned long)inserted);
    return stress_result();
}
