/*
 * A program that limits its own address space (RLIMIT_AS) means its own memory; the
 * ledger's sections are address space far beyond what is in use, and would leave it
 * nothing (dovecot limits each of its services so). What isn't in use is given back first.
 */
#include "hooks/export.h"
#include "kit/sys.h"
#include "ledger/memory.h"
#include "runtime/real.h"
#include "sample/core/gate.h"

#include <sys/resource.h>

static void before_limit(int resource, bool own, const void *limit)
{
    /* a forked child gives up its view of its parent's ledger by this, too */
    bool active = gate_active();
    if (resource == RLIMIT_AS && own && limit && active)
        memory_trim();
}

/* Under other names in C: sys/resource.h makes one of each pair an alias of the other. */
#define LIMIT(name)                                                                                \
    EXPORT int limit_##name(int resource, const void *limit) __asm__(#name);                       \
    int limit_##name(int resource, const void *limit)                                              \
    {                                                                                              \
        before_limit(resource, true, limit);                                                       \
        return real.name(resource, limit);                                                         \
    }

#define LIMIT_OF(name)                                                                             \
    EXPORT int limit_##name(pid_t pid, int resource, const void *limit, void *old) __asm__(#name); \
    int limit_##name(pid_t pid, int resource, const void *limit, void *old)                        \
    {                                                                                              \
        before_limit(resource, pid == 0 || pid == sys_getpid(), limit);                            \
        return real.name(pid, resource, limit, old);                                               \
    }

LIMIT(setrlimit)
LIMIT(setrlimit64)
LIMIT_OF(prlimit)
LIMIT_OF(prlimit64)
