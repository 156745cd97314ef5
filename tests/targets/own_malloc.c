/*
 * Programs that bring a malloc of their own which isn't a whole allocator: `next` passes each
 * request on to the next object's, holding a lock (dlsym's RTLD_NEXT); `partial`, to
 * libc's by another name, and has no functions for alignment; `no_free` hasn't a free either.
 */
#include "probe.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long calls;

#if defined(NEXT)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* not recursive */

#define PASS_ON(type, name, parameters, arguments)                                                 \
    static type(*next) parameters;                                                                 \
    if (!next)                                                                                     \
        *(void **)&next = dlsym(RTLD_NEXT, #name);                                                 \
    pthread_mutex_lock(&lock);                                                                     \
    calls++;                                                                                       \
    type result = next arguments;                                                                  \
    pthread_mutex_unlock(&lock);                                                                   \
    return result

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

#define PASS_ON(type, name, parameters, arguments)                                                 \
    calls++;                                                                                       \
    return __libc_##name arguments

#endif

void *malloc(size_t size)
{
    PASS_ON(void *, malloc, (size_t), (size));
}

void *calloc(size_t count, size_t size)
{
    PASS_ON(void *, calloc, (size_t, size_t), (count, size));
}

void *realloc(void *block, size_t size)
{
    PASS_ON(void *, realloc, (void *, size_t), (block, size));
}

#if defined(PARTIAL)
void free(void *block)
{
    __libc_free(block);
}
#endif

int main(void)
{
    probe_watchdog(60);
    for (unsigned n = 0; n < 2000; n++) {
        size_t size = 100 + n * 7 % 5000;
        char *volatile block = malloc(size);
        char *volatile more = calloc(3, size);
        memset(block, 1, size);
        block = realloc(block, 3 * size);
        probe_check(block[size - 1] == 1 && more[3 * size - 1] == 0, "size %zu", size);
        free(block);
        free(more);

        char *copy = strdup("from a library"); /* its call has a slot */
        free(copy);
        void *aligned = NULL;
        probe_check(posix_memalign(&aligned, 256, size) == 0 && (uintptr_t)aligned % 256 == 0, "%p",
                    aligned);
        free(aligned);
        aligned = aligned_alloc(64, 64 * (n + 1));
        probe_check(aligned && malloc_usable_size(aligned) >= (size_t)64 * (n + 1), "%p", aligned);
        free(aligned);
        free(memalign(4096, size));
    }
    printf("%lu\n", calls);
    return 0;
}
