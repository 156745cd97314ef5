#include "unwind/module_unload.h"
#include "kit/sys.h"
#include "unwind/module_loader.h"

#include <time.h>

/* Threads that read tables of modules that dlclose might take. */
static _Atomic(unsigned) readers;

bool module_read_begin(const struct module_entry *entry)
{
    if (entry->permanent)
        return true;
    atomic_fetch_add(&readers, 1);
    /* All of a dlclose may have passed since the entry was found. */
    if (atomic_load(&module_unloading) == 0 && !atomic_load(&entry->module.unloaded))
        return true;
    atomic_fetch_sub(&readers, 1);
    return false;
}

void module_read_end(const struct module_entry *entry)
{
    if (!entry->permanent)
        atomic_fetch_sub(&readers, 1);
}

/* A reader takes microseconds, or, descheduled on a busy machine, some tens of milliseconds: it
 * is waited for, for what it reads is going away. By naps, so that a real-time thread lets it
 * run; where a seccomp filter may forbid them, by turns. One that was left by longjmp never
 * ends: after so many whoever is still there is taken for that, and not waited for again. */
#define READER_NAP_NS 100000
#define READER_NAPS 20000 /* 2 s and more */
#define READER_TURNS 1000000

static _Atomic(unsigned) left_behind; /* of the readers */

void module_before_unload(void)
{
    const struct timespec nap = {.tv_nsec = READER_NAP_NS};
    bool naps = !sys_forbidden();
    atomic_fetch_add(&module_unloading, 1);
    unsigned reading, left = atomic_load(&left_behind);
    for (unsigned n = 0; (reading = atomic_load(&readers)) > left; n++) {
        if (n >= (naps ? READER_NAPS : READER_TURNS))
            left = reading;
        else if (naps)
            sys_call2(SYS_nanosleep, &nap, NULL);
    }
    /* As many are still there; or fewer, if those were only slow. */
    if (reading != atomic_load(&left_behind))
        atomic_store(&left_behind, reading);
}

void module_after_unload(void)
{
    bool can_find = module_loader_can_find();
    if (!can_find)
        module_refresh();
    for (unsigned i = 1; can_find && i < module_count(); i++) {
        struct module_entry *entry = module_table_entry(i);
        if (atomic_load(&module_states[i]) == MODULE_TRANSIENT && !module_loader_still_has(entry))
            module_table_mark_gone(i, entry);
    }
    unsigned under_way = atomic_load(&module_unloading);
    while (under_way > 0 &&
           !atomic_compare_exchange_weak(&module_unloading, &under_way, under_way - 1))
        ;
}

void module_after_fork_child(void)
{
    /* Their threads aren't here. */
    atomic_store(&readers, 0);
    atomic_store(&left_behind, 0);
    atomic_store(&module_unloading, 0);
}
