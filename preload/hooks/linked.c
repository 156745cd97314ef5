#include "hooks/linked.h"
#include "hooks/export.h"
#include "kit/sections.h"
#include "ledger/memory.h"
#include "patch/entry.h"
#include "patch/symbols.h"
#include "runtime/log.h"
#include "runtime/real.h"
#include "sample/core/thread.h"
#include "sample/heap/heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* An array's bytes; more than there can be where it overflows, so that it is never recorded. */
static inline size_t array_bytes(size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? 0 : bytes;
}

/*
 * X(name, parameters, arguments, bytes): functions that allocate, that move a block, and that free
 * one (jemalloc(3); mimalloc's mimalloc.h; gperftools' tcmalloc.h). `block` and `size` are what the
 * hooks look at.
 */
#define JEMALLOC_ALLOC(X, p)                                                                       \
    X(p##malloc, (size_t size), (size), size)                                                      \
    X(p##calloc, (size_t count, size_t size), (count, size), array_bytes(count, size))             \
    X(p##aligned_alloc, (size_t alignment, size_t size), (alignment, size), size)                  \
    X(p##mallocx, (size_t size, int flags), (size, flags), size)
#define JEMALLOC_MOVE(X, p)                                                                        \
    X(p##realloc, (void *block, size_t size), (block, size), size)                                 \
    X(p##rallocx, (void *block, size_t size, int flags), (block, size, flags), size)
#define JEMALLOC_FREE(X, p)                                                                        \
    X(p##free, (void *block), (block))                                                             \
    X(p##dallocx, (void *block, int flags), (block, flags))                                        \
    X(p##sdallocx, (void *block, size_t size, int flags), (block, size, flags))

#define MIMALLOC_ALLOC(X, p)                                                                       \
    X(p##malloc, (size_t size), (size), size)                                                      \
    X(p##zalloc, (size_t size), (size), size)                                                      \
    X(p##calloc, (size_t count, size_t size), (count, size), array_bytes(count, size))             \
    X(p##malloc_aligned, (size_t size, size_t alignment), (size, alignment), size)                 \
    X(p##zalloc_aligned, (size_t size, size_t alignment), (size, alignment), size)
#define MIMALLOC_MOVE(X, p)                                                                        \
    X(p##realloc, (void *block, size_t size), (block, size), size)                                 \
    X(p##realloc_aligned, (void *block, size_t size, size_t alignment), (block, size, alignment),  \
      size)
#define MIMALLOC_FREE(X, p)                                                                        \
    X(p##free, (void *block), (block))                                                             \
    X(p##free_size, (void *block, size_t size), (block, size))                                     \
    X(p##free_aligned, (void *block, size_t alignment), (block, alignment))                        \
    X(p##free_size_aligned, (void *block, size_t size, size_t alignment), (block, size, alignment))

#define TCMALLOC_ALLOC(X, p)                                                                       \
    X(p##malloc, (size_t size), (size), size)                                                      \
    X(p##calloc, (size_t count, size_t size), (count, size), array_bytes(count, size))             \
    X(p##memalign, (size_t alignment, size_t size), (alignment, size), size)
#define TCMALLOC_MOVE(X, p) X(p##realloc, (void *block, size_t size), (block, size), size)
#define TCMALLOC_FREE(X, p) X(p##free, (void *block), (block))

#define EACH(X_ALLOC, X_MOVE, X_FREE)                                                              \
    JEMALLOC_ALLOC(X_ALLOC, je_)                                                                   \
    JEMALLOC_MOVE(X_MOVE, je_)                                                                     \
    JEMALLOC_FREE(X_FREE, je_)                                                                     \
    JEMALLOC_ALLOC(X_ALLOC, _rjem_)                                                                \
    JEMALLOC_MOVE(X_MOVE, _rjem_)                                                                  \
    JEMALLOC_FREE(X_FREE, _rjem_)                                                                  \
    MIMALLOC_ALLOC(X_ALLOC, mi_)                                                                   \
    MIMALLOC_MOVE(X_MOVE, mi_)                                                                     \
    MIMALLOC_FREE(X_FREE, mi_)                                                                     \
    TCMALLOC_ALLOC(X_ALLOC, tc_)                                                                   \
    TCMALLOC_MOVE(X_MOVE, tc_)                                                                     \
    TCMALLOC_FREE(X_FREE, tc_)

/* The functions as they were. Only a program that has one of these allocators touches them. */
#define MEMBER(name, parameters, ...) void *(*name)parameters;
#define MEMBER_FREE(name, parameters, ...) void(*name) parameters;
static COLD_TABLE struct {
    EACH(MEMBER, MEMBER, MEMBER_FREE)
} originals;

#define HOOK_ALLOC(name, parameters, arguments, bytes)                                             \
    static void *hook_##name parameters                                                            \
    {                                                                                              \
        if (LIKELY(heap_count_down(bytes)) || !heap_sample_begin())                                \
            return originals.name arguments;                                                       \
        return heap_sample_end(originals.name arguments, bytes);                                   \
    }
#define HOOK_MOVE(name, parameters, arguments, bytes)                                              \
    static void *hook_##name parameters                                                            \
    {                                                                                              \
        struct heap_move move;                                                                     \
        if ((heap_count_down(bytes) && !heap_may_track(block)) || !heap_move_begin(&move, block))  \
            return originals.name arguments;                                                       \
        return heap_move_end(&move, block, originals.name arguments, bytes);                       \
    }
#define HOOK_FREE(name, parameters, arguments)                                                     \
    static void hook_##name parameters                                                             \
    {                                                                                              \
        if (heap_may_track(block))                                                                 \
            heap_untrack(block);                                                                   \
        originals.name arguments;                                                                  \
    }
EACH(HOOK_ALLOC, HOOK_MOVE, HOOK_FREE)

/* A function that may be there. */
struct candidate {
    const char *name;
    const void *hook;
    void **original;
};

#define FUNCTIONS_MOST 16
#define NAME_MOST 24

/* An allocator's functions. Filled by code: a table of pointers would be relocated in each process
 * that is started (../README.md). */
struct family {
    struct candidate candidates[FUNCTIONS_MOST];
    size_t count;
};

static void add(struct family *family, const char *name, const void *hook, void **original)
{
    if (family->count < FUNCTIONS_MOST && strlen(name) < NAME_MOST)
        family->candidates[family->count++] = (struct candidate){name, hook, original};
}

#define PATCHED_MOST 96

/* What leads to a hook by now: tcmalloc's tc_malloc is its malloc under another name. */
static COLD_TABLE const uint8_t *patched_entries[PATCHED_MOST];
static size_t patched_count;

static bool is_patched(const uint8_t *function)
{
    for (size_t n = 0; n < patched_count; n++)
        if (patched_entries[n] == function)
            return true;
    return false;
}

/* Patches the functions of a family that the program has, all or none. Returns how many. */
static size_t patch_family(const struct family *family)
{
    const struct candidate *candidates = family->candidates;
    char names[FUNCTIONS_MOST * NAME_MOST + 1];
    struct symbol_place places[FUNCTIONS_MOST];
    struct entry entries[FUNCTIONS_MOST];
    size_t length = 0, n = 0;
    for (size_t i = 0; i < family->count; i++) {
        size_t size = strlen(candidates[i].name) + 1;
        memcpy(names + length, candidates[i].name, size);
        length += size;
    }
    names[length] = '\0';
    symbols_find(names, places);
    for (size_t i = 0; i < family->count; i++) {
        bool again = is_patched(places[i].address); /* one function of two names */
        for (size_t j = 0; j < n; j++)
            again |= entries[j].function == places[i].address;
        if (places[i].address && !again)
            entries[n++] = (struct entry){places[i].address, places[i].size, candidates[i].hook,
                                          candidates[i].original};
    }
    if (n && !entry_patch(entries, n)) {
        log_line(LOG_WARN,
                 "%s and its like in the program can't be patched: their memory is in no "
                 "heap profile",
                 candidates[0].name);
        return 0;
    }
    for (size_t i = 0; i < n && patched_count < PATCHED_MOST; i++)
        patched_entries[patched_count++] = entries[i].function;
    return n;
}

#define CANDIDATE(name, ...)                                                                       \
    add(&family, #name, (const void *)(uintptr_t)hook_##name, (void **)&originals.name);
#define FAMILY(ALLOC, MOVE, FREE, prefix)                                                          \
    {                                                                                              \
        struct family family = {.count = 0};                                                       \
        ALLOC(CANDIDATE, prefix)                                                                   \
        MOVE(CANDIDATE, prefix) FREE(CANDIDATE, prefix) patched += patch_family(&family);          \
    }

/* The program's own malloc: hooked by the hooks of the C library's. */
static size_t patch_own_malloc(void)
{
    struct family family = {.count = 0};
#define OWN(name) add(&family, #name, (const void *)(uintptr_t)name, (void **)&real.name);
    OWN(malloc)
    OWN(calloc)
    OWN(realloc) OWN(free) OWN(posix_memalign) OWN(aligned_alloc) OWN(memalign)
#undef OWN
        return patch_family(&family);
}

void linked_patch(bool own_malloc)
{
    size_t patched = own_malloc ? patch_own_malloc() : 0;
    FAMILY(JEMALLOC_ALLOC, JEMALLOC_MOVE, JEMALLOC_FREE, je_)
    FAMILY(JEMALLOC_ALLOC, JEMALLOC_MOVE, JEMALLOC_FREE, _rjem_)
    FAMILY(MIMALLOC_ALLOC, MIMALLOC_MOVE, MIMALLOC_FREE, mi_)
    FAMILY(TCMALLOC_ALLOC, TCMALLOC_MOVE, TCMALLOC_FREE, tc_)
    heap_linked = (uint32_t)patched;
    if (patched && ledger_exists())
        ledger->linked_functions = heap_linked;
    if (patched)
        log_line(LOG_VERBOSE, "%zu allocation functions of the program are watched", patched);
}
