#include "runtime/real.h"
#include "runtime/object.h"

struct real real;

static const struct {
    const char *name;
    void **pointer;
} wanted[] = {
#define REAL_WANTED(type, name, parameters) {#name, (void **)&real.name},
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
    for (size_t n = 0; n < sizeof wanted / sizeof *wanted; n++)
        if (!*wanted[n].pointer)
            *wanted[n].pointer = object_define(&object, wanted[n].name);
    return 0;
}

void real_resolve(void)
{
    bool behind = false;
    dl_iterate_phdr(resolve_from, &behind);
}
