#include "runtime/real.h"
#include "runtime/object.h"

/*
 * The hooks of the unlocks look at one word and call the real function, with no
 * test whether it is known yet: until then, it is one of these.
 */
#define EARLY(name, parameter)                                                                     \
    static int early_##name(parameter)                                                             \
    {                                                                                              \
        real_resolve();                                                                            \
        return real.name(lock);                                                                    \
    }
EARLY(pthread_mutex_unlock, pthread_mutex_t *lock)
EARLY(pthread_rwlock_unlock, pthread_rwlock_t *lock)
EARLY(pthread_spin_unlock, pthread_spinlock_t *lock)
EARLY(mtx_unlock, mtx_t *lock)
#undef EARLY

#define UNRESOLVED                                                                                 \
    {                                                                                              \
        .pthread_mutex_unlock = early_pthread_mutex_unlock,                                        \
        .pthread_rwlock_unlock = early_pthread_rwlock_unlock,                                      \
        .pthread_spin_unlock = early_pthread_spin_unlock, .mtx_unlock = early_mtx_unlock,          \
    }

static const struct real unresolved = UNRESOLVED;
struct real real = UNRESOLVED;

static const struct {
    const char *name;
    void **pointer;
    void *const *unresolved; /* what it is until then */
} wanted[] = {
#define REAL_WANTED(type, name, parameters)                                                        \
    {#name, (void **)&real.name, (void *const *)&unresolved.name},
    INTERPOSED(REAL_WANTED) INTERPOSED_COND(REAL_WANTED) REAL_ONLY(REAL_WANTED)
#undef REAL_WANTED
};

/* The objects in load order; ours ends the part that is searched before us. */
static int resolve_from(struct dl_phdr_info *info, size_t size, void *arg)
{
    bool *behind = arg;
    struct object object;
    if (object_contains(info, &real)) {
        *behind = true;
        return 0;
    }
    if (!*behind || !object_read(&object, info))
        return 0;
    for (size_t n = 0; n < sizeof wanted / sizeof *wanted; n++) {
        if (*wanted[n].pointer != *wanted[n].unresolved)
            continue;
        void *function = object_define(&object, wanted[n].name);
        if (function)
            *wanted[n].pointer = function;
    }
    return 0;
}

void real_resolve(void)
{
    bool behind = false;
    dl_iterate_phdr(resolve_from, &behind);
}
