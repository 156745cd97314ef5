#include "slots/slots.h"
#include "kit/mappings.h"
#include "kit/sections.h"
#include "runtime/interposed.h"
#include "runtime/object.h"
#include "runtime/real.h"
#include "slots/loading.h"
#include "slots/rebind.h"
#include "wire/attach_order.h"

#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ONE(type, name, parameters) +1
enum {
    UNVERSIONED_COUNT = 0 INTERPOSED(ONE),
    INTERPOSED_COUNT = UNVERSIONED_COUNT INTERPOSED_VERSIONED(ONE),
};
#undef ONE
#define FUNCTIONS (INTERPOSED_COUNT + LOADING_FUNCTIONS)

static COLD_TABLE struct rebind table[FUNCTIONS];

/* What a slot held. Open addressing by the slot's address; never full. */
struct record {
    uintptr_t *slot; /* NULL = free */
    uintptr_t old;
};

/* Only an injected library touches it. */
static COLD_TABLE struct {
    struct record *list;
    size_t room; /* a power of two */
    size_t used;
    _Atomic(bool) busy;
} records;

static struct record *record_of(struct record *list, size_t room, uintptr_t *slot)
{
    size_t n = ((uintptr_t)slot / sizeof(uintptr_t) * UINT64_C(0x9e3779b97f4a7c15) >> 20);
    for (;; n++) {
        struct record *record = &list[n & (room - 1)];
        if (!record->slot || record->slot == slot)
            return record;
    }
}

/* Room for twice as many, and at most half full. */
static bool grow(void)
{
    size_t room = records.room ? records.room * 2 : 8192;
    struct record *more = mappings_map(room * sizeof *more), *old = records.list;
    if (!more)
        return false;
    for (size_t n = 0; n < records.room; n++)
        if (old[n].slot)
            *record_of(more, room, old[n].slot) = old[n];
    if (old)
        mappings_unmap(old, records.room * sizeof *old);
    records.list = more;
    records.room = room;
    return true;
}

/* Asked by rebind_objects before it writes. A slot in an object that was loaded where
 * another one was before has a new value by now. */
static bool note(uintptr_t *slot, uintptr_t old)
{
    if (records.used * 2 >= records.room && !grow())
        return false;
    struct record *record = record_of(records.list, records.room, slot);
    if (!record->slot)
        records.used++;
    *record = (struct record){slot, old};
    return true;
}

/* Our functions by their names: &malloc here might be somebody else's. */
static int find_own(struct dl_phdr_info *info, size_t size, void *arg)
{
    static const struct {
        uint32_t hash;
        char name[OBJECT_LITERAL_MAX];
    } names[] = {
#define NAME(type, name, parameters) {OBJECT_LITERAL_HASH(#name), #name},
        INTERPOSED(NAME) INTERPOSED_VERSIONED(NAME)
#undef NAME
    };
    struct object object;
    if (!object_contains(info, table) || !object_read(&object, info))
        return 0;
    for (size_t n = 0; n < INTERPOSED_COUNT; n++)
        table[n] = (struct rebind){
            .name = names[n].name,
            .replacement = object_define(&object, names[n].name, names[n].hash),
            /* `real` has its pointers in the order of the same lists */
            .original = ((void **)&real)[n],
            .bound_only = n >= UNVERSIONED_COUNT,
        };
    return 1;
}

size_t slots_take(void)
{
    dl_iterate_phdr(find_own, NULL);
    loading_functions(table + INTERPOSED_COUNT, slots_update);
    for (size_t n = 0; n < FUNCTIONS; n++)
        if (!table[n].replacement)
            table[n].original = NULL; /* never taken */
    return rebind_all(table, FUNCTIONS, note);
}

void slots_update(void)
{
    bool idle = false;
    if (!atomic_compare_exchange_strong(&records.busy, &idle, true))
        return;
    attach_order.slots += rebind_all(table, FUNCTIONS, note);
    atomic_store(&records.busy, false);
}

/* What a slot with our function in it is to hold again. */
static uintptr_t restored(uintptr_t *slot, uintptr_t now)
{
    struct record *record = record_of(records.list, records.room, slot);
    return record->slot ? record->old : now;
}

void slots_give_back(void)
{
    if (records.list)
        rebind_restore(table, FUNCTIONS, restored);
}
