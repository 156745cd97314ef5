/*
 * Each allocation function once or a few times, each with a size of its own, so
 * that a test finds its totals by size. Prints nothing; the numbers stand in
 * tests/heap/test_exact.py.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *volatile sink;
static volatile size_t half = SIZE_MAX / 2; /* more than the compiler may know of */

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "alloc_api: line %d: %s\n", __LINE__, #condition);                     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static __attribute__((noinline)) void use_malloc(void)
{
    for (int i = 0; i < 10; i++) {
        sink = malloc(10007);
        free(sink);
    }
    sink = malloc(10009); /* stays */
}

static __attribute__((noinline)) void use_calloc(void)
{
    sink = calloc(1000, 7); /* 7000 bytes, not 7 */
    for (int i = 0; i < 7000; i++)
        CHECK(((char *)sink)[i] == 0);
    errno = 0;
    void *volatile huge = calloc(half, 3);
    CHECK(huge == NULL && errno == ENOMEM);
}

static __attribute__((noinline)) void use_realloc(void)
{
    sink = realloc(NULL, 20011);
    memset(sink, 'r', 20011);
    sink = realloc(sink, 20021);
    CHECK(((char *)sink)[20010] == 'r');
    errno = 0;
    void *kept = sink;
    void *volatile failed = realloc(sink, half); /* fails: the block stays as it is */
    CHECK(failed == NULL && errno == ENOMEM);
    CHECK(((char *)kept)[20010] == 'r');
    sink = realloc(malloc(20023), 0); /* frees in glibc */
    errno = 0;
    failed = reallocarray(NULL, half, 3);
    CHECK(failed == NULL && errno == ENOMEM);
    sink = reallocarray(NULL, 3, 20029); /* 60087 */
}

static __attribute__((noinline)) void use_aligned(void)
{
    void *block = NULL;
    CHECK(posix_memalign(&block, 64, 30011) == 0 && (uintptr_t)block % 64 == 0);
    free(block);
    block = &block;
    CHECK(posix_memalign(&block, 3, 30013) == EINVAL && block == &block); /* not recorded */
    CHECK(posix_memalign(&block, 24, 30013) == EINVAL);
    sink = aligned_alloc(256, 30208);
    CHECK((uintptr_t)sink % 256 == 0);
    sink = memalign(8192, 30029);
    CHECK((uintptr_t)sink % 8192 == 0);
    sink = valloc(30047);
    CHECK((uintptr_t)sink % 4096 == 0);
    sink = pvalloc(30059);
    CHECK((uintptr_t)sink % 4096 == 0);
}

static __attribute__((noinline)) void use_edges(void)
{
    free(NULL);
    sink = malloc(0);
    CHECK(malloc_usable_size(NULL) == 0);
    free(sink);
    sink = malloc(40009);
    CHECK(malloc_usable_size(sink) >= 40009);
    errno = 7;
    free(sink);
    CHECK(errno == 7); /* free leaves errno alone (glibc >= 2.33) */
    void *volatile huge = malloc(half);
    CHECK(huge == NULL && errno == ENOMEM);
    sink = strdup("forty-one characters, and a NUL at the end");
}

int main(void)
{
    use_malloc();
    use_calloc();
    use_realloc();
    use_aligned();
    use_edges();
    return 0;
}
