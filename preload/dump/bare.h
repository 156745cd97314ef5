/*
 * A thread that libc doesn't know: raw clone, a stack and a thread-local area of
 * its own, every signal blocked. A dump runs on it, so that a signal handler can
 * start one and return, and so that the program's stacks, descriptors and signal
 * masks have no part in it.
 *
 * Its thread-local area is its own (zeroed, with the process's stack guard): the
 * thread whose handler starts it may end while it works. It still may call
 * nothing in libc that locks, allocates or uses thread-local storage: only raw
 * system calls, memory and string functions, protobuf-c's packing and zlib with
 * our allocator.
 *
 * Context: AS-safe. A struct bare is static (zero-initialised) memory.
 */
#ifndef LIBPROF_DUMP_BARE_H
#define LIBPROF_DUMP_BARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bare {
    /* The running thread's id; 0 once the kernel has taken it off its stack. A
     * futex: CLONE_CHILD_CLEARTID. */
    _Atomic(uint32_t) tid;
    char *memory; /* stack and thread-local area, kept for the next time; owner: the starter */
    size_t size;
    void *tls;
};

/*
 * Starts run(argument). The caller sees to it that the last one has ended
 * (bare_wait) and that nobody else starts this one, with every signal blocked.
 * 0, or -errno where there is no memory or clone is refused.
 */
long bare_start(struct bare *bare, void (*run)(void *argument), void *argument);

/* Waits until the thread is gone; false after timeout_ns. */
bool bare_wait(struct bare *bare, uint64_t timeout_ns);

/*
 * For the bare thread itself: gives it a descriptor table of its own that holds
 * nothing but 0, 1 and 2. What it opens the program never sees as a number, and
 * the program's closefrom can't close it (hazard 33). Kernels before 5.9 refuse.
 */
bool bare_leave_descriptors(void);

#endif
