/*
 * Raw system calls: no errno, no cancellation point, no libc, no thread-local
 * storage. What hooks, signal handlers and the bare dump thread use.
 *
 * Every function returns what the kernel returns: >= 0 on success, -errno on
 * failure. Context: AS-safe, anywhere. Source: syscall(2), "Architecture
 * calling conventions".
 */
#ifndef LIBPROF_KIT_SYS_H
#define LIBPROF_KIT_SYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

/*
 * May the program's seccomp filter end it for a system call that it does not make itself
 * (hazard 59)? Then libprof makes none: what exists is used, what is missing is counted as lost.
 * Set by hooks/sandbox.c alone.
 */
extern _Atomic(bool) sys_calls_forbidden __attribute__((visibility("hidden")));

static inline bool sys_forbidden(void)
{
    return atomic_load_explicit(&sys_calls_forbidden, memory_order_relaxed);
}

#if defined(__x86_64__)
static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
    long ret;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}
#elif defined(__aarch64__)
static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#else
#error "libprof knows the system call convention of x86-64 and aarch64 only"
#endif

/* Arguments of any integer or pointer type, up to six. */
#define SYS_ARG(x) ((long)(x))
#define sys_call0(nr) sys_call6(nr, 0, 0, 0, 0, 0, 0)
#define sys_call1(nr, a) sys_call6(nr, SYS_ARG(a), 0, 0, 0, 0, 0)
#define sys_call2(nr, a, b) sys_call6(nr, SYS_ARG(a), SYS_ARG(b), 0, 0, 0, 0)
#define sys_call3(nr, a, b, c) sys_call6(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), 0, 0, 0)
#define sys_call4(nr, a, b, c, d)                                                                  \
    sys_call6(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), 0, 0)
#define sys_call5(nr, a, b, c, d, e)                                                               \
    sys_call6(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), 0)

/*
 * write(2) that never sends a signal: a reader that is gone (SIGPIPE) or a limit on file sizes
 * (SIGXFSZ, RLIMIT_FSIZE) would end the program by our writing. Both come to the thread that
 * writes: they are blocked, and taken back when they weren't pending before.
 */
static inline long sys_write(int fd, const void *bytes, size_t length)
{
    const uint64_t both = UINT64_C(1) << 12 | UINT64_C(1) << 24; /* signals 13 and 25 */
    const struct timespec now = {0, 0};
    uint64_t mask = 0, before = 0;
    sys_call4(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &both, &mask, sizeof both);
    sys_call2(SYS_rt_sigpending, &before, sizeof before);
    long result = sys_call3(SYS_write, fd, bytes, length);
    uint64_t mine = both & ~before;
    if ((result == -32 /* EPIPE */ || result == -27 /* EFBIG */) && mine)
        sys_call4(SYS_rt_sigtimedwait, &mine, NULL, &now, sizeof mine);
    sys_call4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &mask, NULL, sizeof mask);
    return result;
}

/* The kernel's answer as a pointer: errors are the last page of the address space. */
static inline int sys_is_error(const void *p)
{
    return (uintptr_t)p >= (uintptr_t)-4095L;
}

/* Private zeroed memory, or NULL. size: bytes, rounded up to pages by the kernel. */
static inline void *sys_map_private(size_t size)
{
    /* PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE */
    void *p = (void *)sys_call6(SYS_mmap, 0, (long)size, 0x1 | 0x2, 0x02 | 0x20 | 0x4000, -1, 0);
    return sys_is_error(p) ? NULL : p;
}

static inline long sys_unmap(void *p, size_t size)
{
    return sys_call2(SYS_munmap, p, size);
}

/* Is the word at this address readable now? */
static inline int sys_is_readable(uintptr_t address)
{
    /* rt_sigprocmask copies the new set in before it looks at `how`: EFAULT for
     * memory that can't be read, EINVAL for our impossible `how` otherwise. */
    return sys_call4(SYS_rt_sigprocmask, -1, address, 0, 8) == -22 /* EINVAL */;
}

static inline int sys_getpid(void)
{
    return (int)sys_call0(SYS_getpid);
}

static inline int sys_gettid(void)
{
    return (int)sys_call0(SYS_gettid);
}

/* Nanoseconds of the given clock. */
static inline uint64_t sys_clock_ns(clockid_t clock)
{
    struct timespec ts = {0, 0};
    sys_call2(SYS_clock_gettime, clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
