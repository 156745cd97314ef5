/*
 * Which allocator is behind us, or before us: rebind.h's two arrangements.
 */
#include "hooks/allocator.h"
#include "hooks/linked.h"
#include "hooks/operators.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/log.h"
#include "runtime/object.h"
#include "runtime/real.h"
#include "sample/core/gate.h"
#include "sample/core/thread.h"
#include "sample/heap/heap.h"
#include "slots/rebind.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);
void cfree(void *block);

/* The program's calls go to an allocator that precedes us: its functions are the
 * real ones then, not those of the C library behind us. */
static void rebind_family(const void *owner)
{
#define ONE(type, name, parameters) +1
#define NAME(type, name, parameters) #name "\0"
    enum { FUNCTIONS = 0 INTERPOSED_ALLOC(ONE) };
    void *first[FUNCTIONS];
    struct rebind table[FUNCTIONS];
    size_t n = 0;
    object_first_definitions(INTERPOSED_ALLOC(NAME), first);
    /* A function that the allocator lacks is the C library's for everybody, and stays so. */
#define FAMILY(type, name, parameters)                                                             \
    if (first[n] == (void *)(uintptr_t)name) {                                                     \
        first[n] = NULL;                                                                           \
    } else {                                                                                       \
        *(void **)&real.name = first[n];                                                           \
    }                                                                                              \
    table[n] = (struct rebind){#name, (void *)(uintptr_t)name, first[n], false};                   \
    n++;
    INTERPOSED_ALLOC(FAMILY)
#undef FAMILY
#undef NAME
#undef ONE
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

/*
 * Does the allocator before us pass requests on to the next one, which is us (dlsym's
 * RTLD_NEXT)? They all come by here then, and need no rebinding; brought to us
 * before as well, they would go round for ever.
 */
static bool asks_us(const void *allocate, const void *release)
{
    void *(*const get)(size_t) = *(void *(*const *)(size_t)) & allocate;
    void (*const give)(void *) = *(void (*const *)(void *)) & release;
    static const size_t sizes[] = {24, 300000}; /* some keep what is small to themselves */
    const int64_t mark = INT64_MAX / 2;
    int64_t left = thread_self.heap_left;
    bool asked = false;

    for (size_t n = 0; !asked && n < sizeof sizes / sizeof *sizes; n++) {
        thread_self.heap_left = mark;
        void *block = get(sizes[n]);
        asked = thread_self.heap_left != mark;
        give(block);
    }
    thread_self.heap_left = left;
    return asked;
}

void allocator_rebind(void)
{
    if (config.heap_rate == 0)
        return;
    enum { MALLOC, FREE, NEW, SANITIZERS };
    static const char names[] = "malloc\0free\0_Znwm\0__asan_init\0__tsan_init\0__msan_init\0";
    void *first[SANITIZERS + 3];
    const char *name = names;
    object_first_definitions(names, first);
    for (size_t n = 0; n < sizeof first / sizeof *first; n++, name += strlen(name) + 1) {
        if (n >= SANITIZERS && first[n]) {
            config.heap_rate = 0;
            heap_start(false);
            log_line(LOG_WARN, "%s: the program has a sanitizer's allocator: no heap profile",
                     name);
            return;
        }
    }
    if (first[MALLOC] && first[MALLOC] != (void *)(uintptr_t)malloc &&
        !asks_us(first[MALLOC], first[FREE])) {
        note_own_malloc(first[MALLOC]);
        rebind_family(first[MALLOC]);
    }
    if (config.allocators)
        linked_patch(heap_own_malloc);
    operators_rebind(first[NEW], (const void *)(uintptr_t)real.malloc);
}
