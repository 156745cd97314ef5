/*
 * Blocks of 8 bytes to 1 MiB in a fixed shuffle, all from one call site; every
 * second block of each size is freed at the end. The counts stand in
 * tests/heap/test_sampled.py too.
 */
#include <stdint.h>
#include <stdlib.h>

static const struct {
    size_t size;
    unsigned count;
} mix[] = {{8, 20000},   {64, 10000},  {512, 4000},  {4096, 1500},
           {32768, 300}, {262144, 60}, {1048576, 20}};

#define SIZES (sizeof mix / sizeof *mix)
#define TOTAL (20000 + 10000 + 4000 + 1500 + 300 + 60 + 20)

static unsigned order[TOTAL];
static void *blocks[TOTAL];

static __attribute__((noinline)) void *take(size_t size)
{
    return malloc(size);
}

int main(void)
{
    unsigned n = 0;
    for (unsigned s = 0; s < SIZES; s++)
        for (unsigned i = 0; i < mix[s].count; i++)
            order[n++] = s;
    uint32_t random = 12345;
    for (unsigned i = TOTAL - 1; i > 0; i--) {
        random = random * 1664525 + 1013904223;
        unsigned j = (unsigned)(((uint64_t)random * (i + 1)) >> 32), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (unsigned i = 0; i < TOTAL; i++)
        blocks[i] = take(mix[order[i]].size);
    unsigned seen[SIZES] = {0};
    for (unsigned i = 0; i < TOTAL; i++)
        if (seen[order[i]]++ % 2)
            free(blocks[i]);
    return 0;
}
