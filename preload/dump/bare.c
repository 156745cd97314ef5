#include "dump/bare.h"

#include "kit/mappings.h"
#include "kit/sys.h"
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>

#if defined(__x86_64__)
#include "dump/bare_x86_64.h"
#elif defined(__aarch64__)
#include "dump/bare_aarch64.h"
#endif

#define GUARD ((size_t)4096)
/* Encoder and zlib need 40 KiB (-fstack-usage); untouched pages cost nothing. */
#define STACK ((size_t)256 << 10)
/* Above the thread pointer lies libc's struct pthread on x86-64 (2.3 KiB). */
#define TCB ((size_t)8 << 10)
/* Behind libprof's own thread-local data libc's may lie. */
#define TLS_SLACK ((size_t)64 << 10)

/* Marks where libprof's thread-local data is. */
static _Thread_local char tls_mark;

/* Room for every initial-exec variable of libprof, at the same distance from the
 * thread pointer as in every thread: the program's own may lie in between. */
static size_t tls_room(void)
{
    uintptr_t mark = (uintptr_t)&tls_mark, pointer = bare_thread_pointer();
    size_t distance = mark > pointer ? mark - pointer : pointer - mark;

    return (distance + TLS_SLACK + 4095) & ~(size_t)4095;
}

static bool map_memory(struct bare *bare)
{
    size_t room = tls_room();

    bare->size = GUARD + STACK + room + TCB;
    bare->memory = mappings_map(bare->size);
    if (!bare->memory)
        return false;
    sys_call3(SYS_mprotect, bare->memory, GUARD, PROT_NONE);
    bare->tls = bare->memory + GUARD + STACK + (BARE_TLS_BELOW ? room : TCB);
    return true;
}

long bare_start(struct bare *bare, void (*run)(void *argument), void *argument)
{
    const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                                CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                                CLONE_CHILD_CLEARTID;
    long result;

    if (!bare->memory && !map_memory(bare))
        return -12; /* ENOMEM */
    /* zeroes again, also what the last run left in thread-local variables */
    sys_call3(SYS_madvise, bare->memory + GUARD, bare->size - GUARD, MADV_DONTNEED);
    bare_fill_tcb(bare->tls);
    result = bare_clone(flags, bare->memory + GUARD + STACK, &bare->tid, bare->tls, run, argument);
    return result < 0 ? result : 0;
}

bool bare_wait(struct bare *bare, uint64_t timeout_ns)
{
    /* the kernel wakes one waiter only: the others look for themselves */
    const struct timespec slice = {0, 5000000};
    uint64_t start = sys_clock_ns(CLOCK_MONOTONIC);
    uint32_t tid;

    while ((tid = atomic_load(&bare->tid)) != 0) {
        if (sys_clock_ns(CLOCK_MONOTONIC) - start > timeout_ns)
            return false;
        /* not FUTEX_PRIVATE_FLAG: the kernel's wake at a thread's end is a shared one */
        sys_call4(SYS_futex, &bare->tid, FUTEX_WAIT, tid, &slice);
    }
    return true;
}

bool bare_leave_descriptors(void)
{
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
    /* CLOSE_RANGE_UNSHARE, close_range(2) */
    return sys_call3(SYS_close_range, 3, ~0u, 1u << 1) == 0;
}
