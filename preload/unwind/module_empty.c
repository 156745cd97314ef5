#include "unwind/module_empty.h"
#include "kit/sections.h"

#include <stdatomic.h>

/* An entry is three words written without a lock; the third one ties them together, so that a
 * reader who sees parts of two writes finds a miss. */
#define EMPTY_RANGES 1024u /* two for an object with one executable segment */
#define EMPTY_WAYS 4u

static COLD_TABLE struct empty_range {
    _Atomic(uint64_t) low, size, tag;
} empty_ranges[EMPTY_RANGES];

static uint64_t mix(uint64_t value)
{
    value *= UINT64_C(0x9e3779b97f4a7c15);
    return value ^ value >> 29;
}

static uint64_t load_key(const struct object *object)
{
    return mix(mix(mix((uintptr_t)object->link_map) ^ object->map_start) ^ object->eh_frame_hdr) ^
           module_generation();
}

static struct empty_range *empty_at(uint64_t key, unsigned way)
{
    return &empty_ranges[((mix(key) >> 32) + way) % EMPTY_RANGES];
}

static uint64_t empty_tag(uint64_t key, uint64_t low, uint64_t size)
{
    return mix(mix(key ^ low) ^ size);
}

bool module_empty_has(const struct object *object, uintptr_t pc)
{
    uint64_t key = load_key(object);
    for (unsigned way = 0; way < EMPTY_WAYS; way++) {
        struct empty_range *range = empty_at(key, way);
        uint64_t low = atomic_load(&range->low), size = atomic_load(&range->size);
        if (pc - low < size && atomic_load(&range->tag) == empty_tag(key, low, size))
            return true;
    }
    return false;
}

void module_empty_remember(const struct object *object, const struct address_range *empty)
{
    uint64_t key = load_key(object), low = empty->low, size = empty->high - empty->low;
    unsigned way = 0;
    /* Over one that is another load's, if there is one. */
    for (; way < EMPTY_WAYS - 1; way++) {
        struct empty_range *range = empty_at(key, way);
        if (atomic_load(&range->tag) !=
            empty_tag(key, atomic_load(&range->low), atomic_load(&range->size)))
            break;
    }
    struct empty_range *range = empty_at(key, way);
    atomic_store(&range->tag, 0);
    atomic_store(&range->low, low);
    atomic_store(&range->size, size);
    atomic_store(&range->tag, empty_tag(key, low, size));
}
