#include "runtime/real.h"

#include <dlfcn.h>
#include <stdint.h>

struct real real;

/* The bounds of libprof.so's own text and data, from the linker. */
extern const char _end[] __attribute__((visibility("hidden")));
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/* version NULL: the default one. */
static void *real_find(const char *name, const char *version)
{
    /* Before glibc 2.36 dlsym(RTLD_NEXT) gave the oldest version (bug 14932);
     * where there are no versions (musl), dlvsym finds nothing. */
    void *symbol = version ? dlvsym(RTLD_NEXT, name, version) : NULL;
    if (!symbol)
        symbol = dlsym(RTLD_NEXT, name);
    /* In a non-PIE program a function's address can be the program's own PLT
     * entry, which leads back here; RTLD_NEXT doesn't return that, but a
     * wrapper that gives us our own function would make us call ourselves. */
    uintptr_t address = (uintptr_t)symbol;
    if (address >= (uintptr_t)__ehdr_start && address < (uintptr_t)_end)
        return NULL;
    return symbol;
}

void real_resolve(void)
{
#define REAL_RESOLVE(type, name, parameters) *(void **)&real.name = real_find(#name, NULL);
    INTERPOSED(REAL_RESOLVE)
    REAL_ONLY(REAL_RESOLVE)
#undef REAL_RESOLVE
#define REAL_RESOLVE(type, name, parameters)                                                       \
    *(void **)&real.name = real_find(#name, INTERPOSED_COND_VERSION);
    INTERPOSED_COND(REAL_RESOLVE)
#undef REAL_RESOLVE
}
