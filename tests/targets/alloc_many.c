/* argv[1] different stacks: a binary number's digits as calls, one block at the end
 * of each. Some of the blocks are freed. */
#include <stdio.h>
#include <stdlib.h>

static void *volatile sink;
static __attribute__((noinline)) void one(unsigned bits, int left);

static __attribute__((noinline)) void zero(unsigned bits, int left)
{
    if (left == 0)
        sink = malloc(24 + bits % 3);
    else if (bits & 1)
        one(bits >> 1, left - 1);
    else
        zero(bits >> 1, left - 1);
    __asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void one(unsigned bits, int left)
{
    if (left == 0)
        sink = malloc(56);
    else if (bits & 1)
        one(bits >> 1, left - 1);
    else
        zero(bits >> 1, left - 1);
    __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
    unsigned stacks = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
    for (unsigned n = 0; n < stacks; n++) {
        zero(n, 20);
        if (n % 4 == 0)
            free(sink);
    }
    printf("%u\n", stacks);
    return 0;
}
