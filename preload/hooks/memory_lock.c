/*
 * mlockall(2) locks the whole address space, and fails when all of it is larger than
 * RLIMIT_MEMLOCK. libprof's address space would count there: the ledger alone reserves more
 * than the usual limit of 8 MiB. So the program's mappings are locked one by one, without
 * libprof's, and what the program is told is what it is told without libprof.
 */
#include "hooks/export.h"
#include "hooks/repeat.h"
#include "kit/mappings.h"
#include "kit/sys.h"
#include "ledger/memory.h"
#include "runtime/real.h"
#include "sample/core/gate.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

#define PAGE ((uintptr_t)4096)

/* Is MCL_FUTURE in force by the program's wish? */
static _Atomic(bool) locks_future;

/* The first part of libprof's memory in start..end, or false. */
static bool next_own(uintptr_t start, uintptr_t end, struct mappings_range *own)
{
    struct mappings_range image = {(uintptr_t)__ehdr_start,
                                   ((uintptr_t)_end + PAGE - 1) & ~(PAGE - 1)};
    bool found = mappings_find(start, end, own);
    if (image.start < end && image.end > start && (!found || image.start < own->start)) {
        *own = image;
        found = true;
    }
    struct mappings_range section;
    if (memory_find(start, end, &section) && (!found || section.start < own->start)) {
        *own = section;
        found = true;
    }
    return found;
}

/* What is done with each part of the address space. */
typedef void (*part_work)(uintptr_t start, uintptr_t end, bool own, void *argument);

static void split_by_owner(uintptr_t start, uintptr_t end, part_work work, void *argument)
{
    struct mappings_range own;
    while (start < end && next_own(start, end, &own)) {
        if (own.start > start)
            work(start, own.start, false, argument);
        else
            own.start = start;
        if (own.end > end)
            own.end = end;
        work(own.start, own.end, true, argument);
        start = own.end;
    }
    if (start < end)
        work(start, end, false, argument);
}

/*
 * Reads /proc/self/maps (proc_pid_maps(5)): each line begins with the two addresses,
 * hexadecimal, "START-END ". The vsyscall page is above the address space and can't be locked.
 * False: the file can't be read.
 */
static bool for_each_part(part_work work, void *argument)
{
    enum { START, END, REST } field = START;
    uintptr_t numbers[2] = {0, 0};
    char buffer[1024];
    long length;
    long fd = sys_call4(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    while ((length = sys_call3(SYS_read, fd, buffer, sizeof buffer)) > 0)
        for (long n = 0; n < length; n++) {
            char c = buffer[n];
            if (c == '\n') {
                field = START;
                numbers[0] = numbers[1] = 0;
            } else if (field == START && c == '-') {
                field = END;
            } else if (field == END && c == ' ') {
                field = REST;
                if (numbers[0] <= (uintptr_t)INTPTR_MAX)
                    split_by_owner(numbers[0], numbers[1], work, argument);
            } else if (field != REST) {
                numbers[field] =
                    numbers[field] * 16 + (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
            }
        }
    sys_call1(SYS_close, fd);
    return length == 0;
}

static void add_size(uintptr_t start, uintptr_t end, bool own, void *argument)
{
    if (!own)
        *(uint64_t *)argument += end - start;
}

/* Errors are left alone, as mlockall leaves those of single mappings: one that can't be read
 * has no pages to lock. */
static void lock_part(uintptr_t start, uintptr_t end, bool own, void *argument)
{
    const int *flags = argument;
    if (own)
        return;
    if (*flags & MCL_ONFAULT)
        sys_call3(SYS_mlock2, start, end - start, MLOCK_ONFAULT);
    else
        sys_call2(SYS_mlock, start, end - start);
}

static void unlock_own(uintptr_t start, uintptr_t end, bool own, void *argument)
{
    if (own)
        sys_call2(SYS_munlock, start, end - start);
}

/* Does the program alone fit into the limit? Then no privilege is asked for. */
static bool program_fits(void)
{
    struct rlimit limit = {0};
    uint64_t size = 0;
    return sys_call4(SYS_prlimit64, 0, RLIMIT_MEMLOCK, NULL, &limit) == 0 && limit.rlim_cur > 0 &&
           for_each_part(add_size, &size) && size <= limit.rlim_cur;
}

static int lock_program(int flags)
{
    int rest = flags & ~MCL_CURRENT, result = 0;
    if (rest & MCL_FUTURE)
        result = real.mlockall(rest);
    else if (atomic_load(&locks_future))
        result = munlockall(); /* mlockall without MCL_FUTURE ends it */
    if (result == 0)
        for_each_part(lock_part, &flags);
    return result;
}

EXPORT int mlockall(int flags)
{
    if (!REPEAT_READY(mlockall))
        return (int)repeat_raw(sys_call1(SYS_mlockall, flags));
    int saved = errno, result;
    bool known = !(flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
    if (sys_forbidden() || !known || !(flags & (MCL_CURRENT | MCL_FUTURE)))
        return real.mlockall(flags);
    /* Made now if it isn't yet: under MCL_FUTURE it would count, too. */
    if (flags & MCL_FUTURE && gate_enter()) {
        gate_ledger();
        gate_leave();
    }
    if (flags & MCL_FUTURE)
        mappings_keep_unlocked();
    if (flags & MCL_CURRENT && program_fits()) {
        result = lock_program(flags);
    } else {
        result = real.mlockall(flags);
        if (result == 0 && flags & MCL_CURRENT)
            for_each_part(unlock_own, NULL);
    }
    if (result == 0) {
        atomic_store(&locks_future, (flags & MCL_FUTURE) != 0);
        errno = saved;
    }
    return result;
}
