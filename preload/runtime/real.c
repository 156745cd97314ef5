#include "runtime/real.h"
#include "runtime/object.h"
#include "runtime/relocated.h"

const void *volatile relocated_self = (const void *)&relocated_self;

/*
 * The hooks of the unlocks look at one word and call the real function, with no
 * test whether it is known yet: until then, it is one of these.
 */
#define EARLY(name, parameter)                                                                     \
    static int early_##name(parameter)                                                             \
    {                                                                                              \
        real_resolve(false);                                                                       \
        return real.name(lock);                                                                    \
    }
EARLY(pthread_rwlock_unlock, pthread_rwlock_t *lock)
EARLY(pthread_spin_unlock, pthread_spinlock_t *lock)
EARLY(mtx_unlock, mtx_t *lock)
#undef EARLY

struct real real = {
    .pthread_rwlock_unlock = early_pthread_rwlock_unlock,
    .pthread_spin_unlock = early_pthread_spin_unlock,
    .mtx_unlock = early_mtx_unlock,
};

/* In the order of `real`'s pointers. The names themselves: no table of addresses, which the
 * loader would have to relocate in each process. */
static const struct {
    uint32_t hash;
    char name[OBJECT_LITERAL_MAX];
} wanted[] = {
#define REAL_NAME(type, name, parameters) {OBJECT_LITERAL_HASH(#name), #name},
    INTERPOSED(REAL_NAME) INTERPOSED_VERSIONED(REAL_NAME) REAL_ONLY(REAL_NAME)
#undef REAL_NAME
};

#define FUNCTIONS (sizeof real / sizeof(void *))
_Static_assert(sizeof wanted / sizeof *wanted == FUNCTIONS, "a name for each pointer");

struct resolution {
    bool behind; /* ours has been seen: it ends the part that is searched before us */
    bool found[FUNCTIONS];
};

/* The objects in load order. */
static int resolve_from(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct resolution *resolution = arg;
    void **pointers = (void **)&real;
    struct object object;
    if (object_contains(info, &real)) {
        resolution->behind = true;
        return 0;
    }
    if (!resolution->behind || !object_read(&object, info))
        return 0;
    for (size_t n = 0; n < FUNCTIONS; n++) {
        void *function =
            resolution->found[n] ? NULL : object_define(&object, wanted[n].name, wanted[n].hash);
        if (!function)
            continue;
        if (pointers[n] != function) /* resolving again writes nothing */
            pointers[n] = function;
        resolution->found[n] = true;
    }
    return 0;
}

void real_resolve(bool from_the_first)
{
    struct resolution resolution = {.behind = from_the_first};
    dl_iterate_phdr(resolve_from, &resolution);
}
