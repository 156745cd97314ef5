#include "hooks/operators.h"
#include "runtime/object.h"
#include "sample/core/thread.h"
#include "sample/heap/heap.h"
#include "slots/rebind.h"

#include <stdbool.h>
#include <stdint.h>

static struct {
#define REAL_NEW(name, parameters, arguments) void *(*name)parameters;
#define REAL_DELETE(name, parameters, arguments) void(*name) parameters;
    OPERATORS_NEW(REAL_NEW)
    OPERATORS_DELETE(REAL_DELETE)
} operators;

/*
 * An exception passes through these frames; the guard it leaves behind is
 * recognized as stale by the next hook (gate.h).
 */
#define HOOK_NEW(name, parameters, arguments)                                                      \
    static void *hook_##name parameters                                                            \
    {                                                                                              \
        if (__builtin_expect(heap_count_down(size), 1) || !heap_sample_begin())                    \
            return operators.name arguments;                                                       \
        return heap_sample_end(operators.name arguments, size);                                    \
    }

#define HOOK_DELETE(name, parameters, arguments)                                                   \
    static void hook_##name parameters                                                             \
    {                                                                                              \
        if (heap_may_track(block) && heap_untrack(block))                                          \
            return;                                                                                \
        operators.name arguments;                                                                  \
    }

OPERATORS_NEW(HOOK_NEW)
OPERATORS_DELETE(HOOK_DELETE)

static int both_inside(struct dl_phdr_info *info, size_t size, void *arg)
{
    const void *const *addresses = arg;
    return object_contains(info, addresses[0]) && object_contains(info, addresses[1]);
}

static bool same_object(const void *a, const void *b)
{
    const void *addresses[] = {a, b};
    return a && b && dl_iterate_phdr(both_inside, addresses) != 0;
}

void operators_rebind(const void *first, const void *owner)
{
    /* The operators that a program finds first decide. */
    if (!same_object(first, owner))
        return;
#define ONE(name, parameters, arguments) +1
#define NAME(name, parameters, arguments) #name "\0"
    enum { FUNCTIONS = 0 OPERATORS_NEW(ONE) OPERATORS_DELETE(ONE) };
    void *found[FUNCTIONS];
    struct rebind table[FUNCTIONS];
    size_t n = 0;
    object_first_definitions(OPERATORS_NEW(NAME) OPERATORS_DELETE(NAME), found);
#define KEEP(name, parameters, arguments)                                                          \
    *(void **)&operators.name = found[n];                                                          \
    table[n] = (struct rebind){#name, (void *)(uintptr_t)hook_##name, found[n], false};            \
    n++;
    OPERATORS_NEW(KEEP)
    OPERATORS_DELETE(KEEP)
#undef KEEP
#undef NAME
#undef ONE
    rebind_objects(table, n, owner);
}
