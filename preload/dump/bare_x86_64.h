/*
 * The bare thread on x86-64: its thread pointer and its birth. Sources: System V
 * ABI 3.4 and 3.2 (registers), ELF TLS variant II (thread-local data below the
 * thread pointer), clone(2).
 */
#ifndef LIBPROF_DUMP_BARE_X86_64_H
#define LIBPROF_DUMP_BARE_X86_64_H

#include <stdint.h>
#include <sys/syscall.h>

/* What the compiler's code reads at the thread pointer: itself at 0 and 0x10
 * (tcb and self), the stack guard at 0x28. */
#define BARE_TLS_BELOW 1 /* thread-local data lies below the thread pointer */

static inline uintptr_t bare_thread_pointer(void)
{
    uintptr_t pointer;
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
}

/* area: zeroed, 64 bytes at least. */
static inline void bare_fill_tcb(void *area)
{
    uintptr_t *words = area, guard;

    __asm__("movq %%fs:0x28, %0" : "=r"(guard));
    words[0] = (uintptr_t)area;
    words[2] = (uintptr_t)area;
    words[5] = guard;
}

/* clone(2) with a new stack; the child calls run(argument) and ends. Returns the
 * kernel's answer in the parent. stack: aligned to 16, its upper end. */
static inline long bare_clone(unsigned long flags, void *stack, void *tid, void *tls,
                              void (*run)(void *), void *argument)
{
    long result;
    register void *r10 __asm__("r10") = tid;
    register void *r8 __asm__("r8") = tls;
    register void (*r12)(void *) __asm__("r12") = run;
    register void *r13 __asm__("r13") = argument;

    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "movq %%r13, %%rdi\n\t"
                     "callq *%%r12\n\t"
                     "movl %[exit], %%eax\n\t"
                     "xorl %%edi, %%edi\n\t"
                     "syscall\n\t"
                     "hlt\n"
                     "1:"
                     : "=a"(result)
                     : "0"((long)SYS_clone), "D"(flags), "S"(stack), "d"(tid), "r"(r10), "r"(r8),
                       "r"(r12), "r"(r13), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory", "cc");
    return result;
}

#endif
