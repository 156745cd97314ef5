/* x86-64 registers for the unwinder; see arch.h for what each name means. */
#ifndef LIBPROF_UNWIND_ARCH_X86_64_H
#define LIBPROF_UNWIND_ARCH_X86_64_H

/* rax rdx rcx rbx rsi rdi rbp rsp r8..r15, then the return address column. */
#define ARCH_REGISTERS 17
#define ARCH_FP 6
#define ARCH_SP 7
#define ARCH_RA 16
#define ARCH_PC 16
#define ARCH_ROWS ARCH_REGISTERS

struct arch_regs {
    uintptr_t r[ARCH_REGISTERS];
};

/* The row index of a DWARF register, or -1 for one that isn't followed. */
static inline int arch_row(uint64_t reg)
{
    return reg < ARCH_ROWS ? (int)reg : -1;
}

static inline uint64_t arch_row_register(int row)
{
    return (uint64_t)row;
}

__attribute__((always_inline)) static inline void arch_capture(struct arch_regs *regs)
{
    /* Only what survives a call can be used by a frame above. */
    __asm__ volatile("movq %%rbx, 24(%0)\n\t"
                     "movq %%rbp, 48(%0)\n\t"
                     "movq %%rsp, 56(%0)\n\t"
                     "movq %%r12, 96(%0)\n\t"
                     "movq %%r13, 104(%0)\n\t"
                     "movq %%r14, 112(%0)\n\t"
                     "movq %%r15, 120(%0)\n\t"
                     "leaq 0(%%rip), %%rax\n\t"
                     "movq %%rax, 128(%0)"
                     :
                     : "D"(regs->r)
                     : "rax", "memory");
}

/* Where a ucontext_t keeps a DWARF register, in bytes. */
static inline size_t arch_context_offset(unsigned reg)
{
    static const uint8_t greg[ARCH_REGISTERS] = {
        REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
        REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
    };
    return offsetof(ucontext_t, uc_mcontext.gregs) + sizeof(greg_t) * greg[reg];
}

/* mov $__NR_rt_sigreturn, %rax; syscall - what the libcs, Go and the JITs use. */
#define ARCH_SIGRETURN_BYTES 9
static inline bool arch_is_sigreturn(const uint8_t *code)
{
    return memcmp(code, "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", ARCH_SIGRETURN_BYTES) == 0;
}

/* In a trampoline SP points at the ucontext: the handler's ret took pretcode. */
static inline uintptr_t arch_sigreturn_context(uintptr_t sp)
{
    return sp;
}

static inline uintptr_t arch_code_address(uintptr_t address)
{
    return address;
}

/* May the signal trampoline lie outside of every object? It is in an object. */
#define ARCH_TRAMPOLINE_ANYWHERE 0

#endif
