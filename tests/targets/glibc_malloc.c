/* glibc's allocator for programs that are linked with another one: preloaded, it comes first. */
#define EXPORT __attribute__((visibility("default")))
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);
size_t malloc_usable_size(void *block);

EXPORT void *malloc(size_t size)
{
    return __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return __libc_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    return __libc_realloc(block, size);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    return __libc_memalign(alignment, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return __libc_memalign(alignment, size);
}

EXPORT int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *got = __libc_memalign(alignment, size);
    if (got)
        *block = got;
    return got ? 0 : ENOMEM;
}

EXPORT void free(void *block)
{
    __libc_free(block);
}

/* The C library's, whatever else is loaded. */
EXPORT size_t malloc_usable_size(void *block)
{
    static size_t (*real)(void *);
    if (!real) {
        void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
        *(void **)&real = dlsym(libc, "malloc_usable_size");
    }
    return real(block);
}
