/* aarch64 registers for the unwinder; see arch.h for what each name means. */
#ifndef LIBPROF_UNWIND_ARCH_AARCH64_H
#define LIBPROF_UNWIND_ARCH_AARCH64_H

/* x0..x30, sp, then pc: DWARF reserves 32 for it and no CFI uses it. */
#define ARCH_REGISTERS 33
#define ARCH_FP 29
#define ARCH_RA 30
#define ARCH_SP 31
#define ARCH_PC 32

/* Callee-saved x19..x28, x29, x30 and sp: no CFI restores others. */
#define ARCH_ROW_FIRST 19
#define ARCH_ROWS 13

struct arch_regs {
    uintptr_t r[ARCH_REGISTERS];
};

static inline int arch_row(uint64_t reg)
{
    return reg >= ARCH_ROW_FIRST && reg < ARCH_ROW_FIRST + ARCH_ROWS ? (int)(reg - ARCH_ROW_FIRST)
                                                                     : -1;
}

static inline uint64_t arch_row_register(int row)
{
    return (uint64_t)row + ARCH_ROW_FIRST;
}

__attribute__((always_inline)) static inline void arch_capture(struct arch_regs *regs)
{
    __asm__ volatile("stp x19, x20, [%0, #152]\n\t"
                     "stp x21, x22, [%0, #168]\n\t"
                     "stp x23, x24, [%0, #184]\n\t"
                     "stp x25, x26, [%0, #200]\n\t"
                     "stp x27, x28, [%0, #216]\n\t"
                     "stp x29, x30, [%0, #232]\n\t"
                     "mov x9, sp\n\t"
                     "adr x10, .\n\t"
                     "stp x9, x10, [%0, #248]"
                     :
                     : "r"(regs->r)
                     : "x9", "x10", "memory");
}

/* Where a ucontext_t keeps a DWARF register, in bytes: x0..x30, sp, pc. */
static inline size_t arch_context_offset(unsigned reg)
{
    return offsetof(ucontext_t, uc_mcontext.regs) + sizeof(uintptr_t) * reg;
}

/* mov x8, #__NR_rt_sigreturn; svc #0 (the kernel's vDSO and every libc). */
#define ARCH_SIGRETURN_BYTES 8
static inline bool arch_is_sigreturn(const uint8_t *code)
{
    return memcmp(code, "\x68\x11\x80\xd2\x01\x00\x00\xd4", ARCH_SIGRETURN_BYTES) == 0;
}

/* The kernel's rt_sigframe: a siginfo_t of 128 bytes, then the ucontext. */
static inline uintptr_t arch_sigreturn_context(uintptr_t sp)
{
    return sp + 128;
}

/* Pointer authentication keeps its code above the 48 bits of a user address. */
static inline uintptr_t arch_code_address(uintptr_t address)
{
    return address & ((UINT64_C(1) << 48) - 1);
}

/* May the signal trampoline lie outside of every object? An emulator (qemu-user) puts it on a page of its own. */
#define ARCH_TRAMPOLINE_ANYWHERE 1

#endif
