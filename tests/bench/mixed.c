/*
 * Allocations as programs make them:
 *
 *   mixed N THREADS   N blocks a thread of 8 bytes to 2 KiB, small ones mostly, at depth
 *                     10, of which 1000 live at a time; from 16 places in the code
 *   mixed N handoff   one thread allocates N blocks, another frees them
 *   mixed N live L    N blocks, L of them live at a time (freed in random order), 32 bytes
 *   mixed N depth D   N pairs of 32 bytes at depth D
 *   mixed N stacks S  N blocks from S different stacks, kept
 *
 * Prints ns an allocation (CPU time of the process).
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEPT 1000
#define RING 4096

static long count;
static long level; /* of the mode: live blocks, depth, stacks */

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* 8 bytes to 2 KiB: each power of two half as frequent as the one below. */
static size_t mixed_size(uint64_t random)
{
    unsigned bits = (unsigned)__builtin_ctzll(random | 256);
    return (size_t)(8 << bits) + (random >> 40 & 7);
}

/* Sixteen call sites for each level, so that there are many different stacks. */
#define PLACE(n)                                                                                   \
    case n:                                                                                        \
        block = malloc(size);                                                                      \
        break;
static __attribute__((noinline)) void *allocate(size_t size, unsigned place)
{
    void *block = NULL;
    switch (place & 15) {
        /* clang-format off */
        PLACE(0) PLACE(1) PLACE(2) PLACE(3) PLACE(4) PLACE(5) PLACE(6) PLACE(7)
        PLACE(8) PLACE(9) PLACE(10) PLACE(11) PLACE(12) PLACE(13) PLACE(14) PLACE(15)
        /* clang-format on */
    }
    __asm__ volatile("" : "+r"(block) : : "memory");
    if (!block)
        abort();
    return block;
}

static __attribute__((noinline)) void *allocate_at(unsigned depth, size_t size, unsigned place)
{
    void *block = depth > 0 ? allocate_at(depth - 1, size, place) : allocate(size, place);
    __asm__ volatile("" ::: "memory"); /* no tail call */
    return block;
}

/* A stack for each value of `path`: a call from one of two places for each of 20 bits. */
static __attribute__((noinline)) void *allocate_along(uint32_t path, unsigned bits)
{
    void *block;
    if (bits == 0)
        return allocate(32, 0);
    if (path & 1) {
        block = allocate_along(path >> 1, bits - 1);
        __asm__ volatile("nop" ::: "memory");
    } else {
        block = allocate_along(path >> 1, bits - 1);
        __asm__ volatile("" ::: "memory");
    }
    return block;
}

static void *mixed_thread(void *seed)
{
    void *kept[KEPT] = {0};
    uint64_t random = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
    for (long n = 0; n < count; n++) {
        uint64_t r = next_random(&random);
        void **slot = &kept[(r >> 20) % KEPT];
        free(*slot);
        *slot = allocate_at(3, mixed_size(r), (unsigned)(r >> 50));
    }
    for (int n = 0; n < KEPT; n++)
        free(kept[n]);
    return NULL;
}

static _Atomic(void *) ring[RING];

static void *consumer(void *unused)
{
    for (long n = 0; n < count; n++) {
        void *block;
        while (!(block = __atomic_exchange_n((void **)&ring[n % RING], NULL, __ATOMIC_ACQUIRE)))
            nanosleep(&(struct timespec){0, 50000}, NULL);
        free(block);
    }
    return unused;
}

static void producer(void)
{
    uint64_t random = 1;
    for (long n = 0; n < count; n++) {
        uint64_t r = next_random(&random);
        void *block = allocate_at(3, mixed_size(r), (unsigned)(r >> 50));
        while (__atomic_load_n((void **)&ring[n % RING], __ATOMIC_RELAXED))
            nanosleep(&(struct timespec){0, 50000}, NULL);
        __atomic_store_n((void **)&ring[n % RING], block, __ATOMIC_RELEASE);
    }
}

static void live_blocks(void)
{
    void **kept = calloc((size_t)level, sizeof *kept);
    if (!kept)
        abort();
    for (long n = 0; n < level; n++)
        kept[n] = allocate_at(3, 32, 0);
    uint64_t random = 1;
    double start = cpu_seconds();
    for (long n = 0; n < count; n++) {
        void **slot = &kept[next_random(&random) % (uint64_t)level];
        free(*slot);
        *slot = allocate_at(3, 32, 0);
    }
    printf("%.1f\n", (cpu_seconds() - start) / (double)count * 1e9);
    fflush(stdout);
}

static void many_stacks(void)
{
    for (long n = 0; n < count; n++)
        allocate_along((uint32_t)(n % level), 20);
}

static __attribute__((noinline)) void descend(long levels)
{
    if (levels > 0)
        descend(levels - 1);
    else
        for (long n = 0; n < count; n++)
            free(allocate(32, 0));
    __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
    const char *mode = argc > 2 ? argv[2] : "";
    count = argc > 1 ? atol(argv[1]) : 0;
    level = argc > 3 ? atol(argv[3]) : 1;
    long threads = atol(mode);
    if (count < 1 || level < 1 || (threads < 1 && strcmp(mode, "handoff") && argc < 4)) {
        fprintf(stderr, "usage: mixed N THREADS|handoff|live L|depth D|stacks S\n");
        return 2;
    }
    double start = cpu_seconds();
    if (strcmp(mode, "live") == 0) {
        live_blocks();
        return 0;
    }
    if (strcmp(mode, "depth") == 0) {
        descend(level - 5);
    } else if (strcmp(mode, "stacks") == 0) {
        many_stacks();
    } else if (strcmp(mode, "handoff") == 0) {
        pthread_t other;
        pthread_create(&other, NULL, consumer, NULL);
        producer();
        pthread_join(other, NULL);
    } else {
        pthread_t ids[64];
        if (threads > 64)
            return 2;
        for (long n = 1; n < threads; n++)
            pthread_create(&ids[n], NULL, mixed_thread, (void *)n);
        mixed_thread(NULL);
        for (long n = 1; n < threads; n++)
            pthread_join(ids[n], NULL);
        count *= threads;
    }
    printf("%.1f\n", (cpu_seconds() - start) / (double)count * 1e9);
    return 0;
}
