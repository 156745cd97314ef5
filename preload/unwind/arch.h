/*
 * The register set of the machine, chosen at compile time. Each arch_*.h gives:
 *
 *   ARCH_REGISTERS                registers kept in struct arch_regs, by DWARF number; the
 *                                 program counter's own column is ARCH_PC
 *   ARCH_SP, ARCH_FP, ARCH_RA     DWARF numbers: stack pointer, frame pointer, the column a
 *                                 CIE names for the return address
 *   ARCH_ROWS, arch_row()         the columns a CFI row keeps (aarch64: callee-saved only)
 *   arch_capture()                the caller's registers, at an exact PC inside it
 *   arch_context_offset()         where a signal context keeps a register
 *   arch_is_sigreturn()           is this code the trampoline that signal handlers return to
 *   arch_sigreturn_context()      where its ucontext is, by its stack pointer
 *   arch_code_address()           a return address without pointer-authentication bits
 *
 * Context: AS-safe. Source: System V ABI AMD64 supplement, figure 3.36; DWARF
 * for the Arm 64-bit Architecture, section 4.1.
 */
#ifndef LIBPROF_UNWIND_ARCH_H
#define LIBPROF_UNWIND_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#if defined(__x86_64__)
#include "arch_x86_64.h"
#elif defined(__aarch64__)
#include "arch_aarch64.h"
#else
#error "the cfi engine knows x86-64 and aarch64 only"
#endif

static inline void arch_from_context(const ucontext_t *context, struct arch_regs *regs)
{
    for (unsigned i = 0; i < ARCH_REGISTERS; i++)
        memcpy(&regs->r[i], (const char *)context + arch_context_offset(i), sizeof regs->r[i]);
}

static inline void arch_to_context(const struct arch_regs *regs, ucontext_t *context)
{
    for (unsigned i = 0; i < ARCH_REGISTERS; i++)
        memcpy((char *)context + arch_context_offset(i), &regs->r[i], sizeof regs->r[i]);
}

#endif
