/*
 * The bare thread on aarch64: its thread pointer and its birth. Sources: AAPCS64,
 * ELF TLS variant I (thread-local data above the thread pointer, behind 16
 * bytes), clone(2): tls comes before the child's tid here.
 */
#ifndef LIBPROF_DUMP_BARE_AARCH64_H
#define LIBPROF_DUMP_BARE_AARCH64_H

#include <stdint.h>
#include <sys/syscall.h>

#define BARE_TLS_BELOW 0

static inline uintptr_t bare_thread_pointer(void)
{
    uintptr_t pointer;
    __asm__("mrs %0, tpidr_el0" : "=r"(pointer));
    return pointer;
}

/* The stack guard is a global there (__stack_chk_guard): nothing to fill in. */
static inline void bare_fill_tcb(void *area)
{
}

static inline long bare_clone(unsigned long flags, void *stack, void *tid, void *tls,
                              void (*run)(void *), void *argument)
{
    register long x8 __asm__("x8") = SYS_clone;
    register long x0 __asm__("x0") = (long)flags;
    register void *x1 __asm__("x1") = stack;
    register void *x2 __asm__("x2") = tid;
    register void *x3 __asm__("x3") = tls;
    register void *x4 __asm__("x4") = tid;
    register void (*x9)(void *) __asm__("x9") = run;
    register void *x10 __asm__("x10") = argument;

    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x30, xzr\n\t"
                     "mov x0, x10\n\t"
                     "blr x9\n\t"
                     "mov x8, %[exit]\n\t"
                     "mov x0, xzr\n\t"
                     "svc 0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x9),
                       "r"(x10), [exit] "i"(SYS_exit)
                     : "memory", "cc");
    return x0;
}

#endif
