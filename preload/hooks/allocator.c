/*
 * Which allocator is behind us, or before us: rebind.h's two arrangements.
 */
#include "hooks/operators.h"
#include "hooks/rebind.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/log.h"
#include "runtime/object.h"
#include "runtime/real.h"
#include "sample/heap.h"
#include "sample/recorder.h"

#include <malloc.h>
#include <stdlib.h>

void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);
void cfree(void *block);

/* The program's calls go to an allocator that precedes us: its functions are the
 * real ones then, not those of the C library behind us. */
static void rebind_family(const void *owner)
{
    struct rebind table[] = {
#define FAMILY(type, name, parameters)                                                             \
    {#name, (void *)(uintptr_t)name, object_first_definition(#name)},
        INTERPOSED_ALLOC(FAMILY)
#undef FAMILY
    };
    size_t n = 0;
    /* A function that the allocator lacks is the C library's for everybody, and
     * a block of one must not reach the other's free: left alone. */
#define KEEP(type, name, parameters)                                                               \
    if (table[n].original == table[n].replacement)                                                 \
        table[n].original = NULL;                                                                  \
    *(void **)&real.name = table[n++].original;
    INTERPOSED_ALLOC(KEEP)
#undef KEEP
    rebind_objects(table, n, owner);
}

struct owner {
    const void *function;
    bool is_program;
};

/* The program comes first of the loaded objects (dl_iterate_phdr(3)). */
static int is_in_program(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct owner *owner = arg;
    owner->is_program = object_contains(info, owner->function);
    return 1;
}

/* A program that brings its own malloc calls it without a slot: libraries' calls are
 * brought to us, its own aren't seen, and its profiles say so (hazard 14). */
static void note_own_malloc(const void *function)
{
    struct owner owner = {function, false};
    dl_iterate_phdr(is_in_program, &owner);
    heap_own_malloc = owner.is_program;
    if (heap_own_malloc && ledger_exists())
        atomic_store(&ledger->own_malloc, 1);
}

void rebind_allocator(void)
{
    if (config.heap_rate == 0)
        return;
    static const char *const sanitizers[] = {"__asan_init", "__tsan_init", "__msan_init"};
    for (size_t n = 0; n < sizeof sanitizers / sizeof *sanitizers; n++) {
        if (object_first_definition(sanitizers[n])) {
            config.heap_rate = 0;
            heap_start(false);
            log_line(LOG_WARN, "%s: the program has a sanitizer's allocator: no heap profile",
                     sanitizers[n]);
            return;
        }
    }
    void *first = object_first_definition("malloc");
    if (first && first != (void *)(uintptr_t)malloc) {
        note_own_malloc(first);
        rebind_family(first);
    }
    operators_rebind((const void *)(uintptr_t)real.malloc);
}
