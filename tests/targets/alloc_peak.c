/*
 * A peak in the middle: ten blocks of 1000003 bytes, of which seven are freed, then
 * four of 999983. At the peak ten of the first kind and none of the second.
 */
#include <stdlib.h>

static void *volatile blocks[16];

static __attribute__((noinline)) void first(int n)
{
    blocks[n] = malloc(1000003);
}

static __attribute__((noinline)) void second(int n)
{
    blocks[n] = malloc(999983);
}

int main(void)
{
    for (int n = 0; n < 10; n++)
        first(n);
    for (int n = 0; n < 7; n++)
        free(blocks[n]);
    for (int n = 10; n < 14; n++)
        second(n);
    return 0;
}
