/*
 * Everything a program can see of its blocks, as lines NAME VALUE: the same with libprof and
 * without. Random calls of all allocation functions; seed: the first argument.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 3000
#define TURNS 60000
#define MAPPED 65536

static unsigned char *blocks[BLOCKS];
static size_t sizes[BLOCKS];
static uint64_t usable, low_bits, distances, in_place, trimmed, moves, contents;

static uint64_t state = 88172645463325252;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void mix(uint64_t *digest, uint64_t value)
{
    *digest = (*digest ^ value) * UINT64_C(0x100000001b3);
}

/* Mostly small ones, some around and above glibc's limit for mmap. */
static size_t some_size(void)
{
    unsigned bits = 3 + (unsigned)(next() % 9);
    if (next() % 200 == 0)
        bits += 8;
    return (size_t)(next() % (UINT64_C(2) << bits)) + 1;
}

static void *allocate(size_t size)
{
    size_t alignment = (size_t)16 << next() % 6;
    void *block = NULL;
    switch (next() % 8) {
    case 0:
        return calloc(1 + size / 8, 8);
    case 1:
        return memalign(alignment, size);
    case 2:
        return posix_memalign(&block, alignment, size) == 0 ? block : NULL;
    case 3:
        return aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
    default:
        return malloc(size);
    }
}

/* before: a block, to which the distance is taken; NULL: none. */
static void look_at(unsigned n, const unsigned char *before)
{
    const unsigned char *block = blocks[n];
    mix(&usable, malloc_usable_size(blocks[n]));
    mix(&low_bits, (uintptr_t)block & 4095);
    /* The kernel places what glibc maps. */
    if (before && sizes[n] < MAPPED)
        mix(&distances, (uintptr_t)block - (uintptr_t)before);
}

/* As redis does: what the allocator gave beyond the request is given back. */
static void give_back(unsigned n)
{
    if (malloc_usable_size(blocks[n]) <= sizes[n] + sizes[n] / 10 + 32)
        return;
    unsigned char *trim = realloc(blocks[n], sizes[n]);
    if (!trim)
        abort();
    blocks[n] = trim;
    trimmed++;
    look_at(n, NULL);
}

static void resize(unsigned n)
{
    uintptr_t before = (uintptr_t)blocks[n];
    size_t size = some_size();
    unsigned char *moved = realloc(blocks[n], size);
    if (!moved)
        abort();
    blocks[n] = moved;
    sizes[n] = size;
    mix(&contents, moved[0]);
    in_place += (uintptr_t)moved == before;
    moves += (uintptr_t)moved != before;
    look_at(n, NULL);
}

static void turn(const unsigned char *first)
{
    unsigned n = (unsigned)(next() % BLOCKS);
    if (blocks[n] && next() % 4 == 0) {
        resize(n);
        return;
    }
    free(blocks[n]);
    sizes[n] = some_size();
    blocks[n] = allocate(sizes[n]);
    if (!blocks[n])
        abort();
    memset(blocks[n], (int)n, sizes[n]);
    look_at(n, first);
    give_back(n);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        state += (uint64_t)atoi(argv[1]);
    unsigned char *first = malloc(40);
    for (unsigned n = 0; n < TURNS; n++)
        turn(first);
    struct mallinfo2 info = mallinfo2();
    malloc_trim(0);
    struct mallinfo2 after = mallinfo2();
    printf("usable %lx\nlow_bits %lx\ndistances %lx\nin_place %lu\nmoves %lu\ntrimmed %lu\n",
           usable, low_bits, distances, in_place, moves, trimmed);
    printf("contents %lx\narena %zu\nfree_chunks %zu\nin_use %zu\nmapped %zu %zu\n", contents,
           info.arena, info.ordblks, info.uordblks, info.hblks, info.hblkhd);
    printf("after_trim %zu %zu\n", after.arena, after.keepcost);
    fflush(stdout);
    malloc_info(0, stdout);
    free(first);
    return 0;
}
