/*
 * A server's buffers: alloc_churn SIZE COUNT TURNS. COUNT buffers of SIZE to twice SIZE bytes come
 * and go at random, with small objects between them. Prints the resident memory at the end, KiB.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t next(void)
{
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static long resident(void)
{
    char line[256];
    long found = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmRSS: %ld", &found) == 1)
            break;
    if (status)
        fclose(status);
    return found;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    size_t size = (size_t)atol(argv[1]), count = (size_t)atol(argv[2]);
    char **buffers = calloc(count, sizeof *buffers);
    void **small = calloc(count * 4, sizeof *small);
    for (long turn = 0; turn < atol(argv[3]); turn++) {
        size_t n = next() % count, m = next() % (count * 4), bytes = size + next() % size;
        free(buffers[n]);
        buffers[n] = malloc(bytes);
        for (size_t page = 0; page < bytes; page += 4096)
            buffers[n][page] = 1;
        free(small[m]);
        small[m] = malloc(24 + next() % 200);
    }
    printf("%ld\n", resident());
    return 0;
}
