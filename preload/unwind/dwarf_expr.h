/*
 * DWARF expressions as call frame information uses them (DWARF 5, 2.5 and
 * 6.4.2): the PLT's CFA, signal trampolines, realigned frames, hand-written
 * assembly. Location descriptions, types and calls don't occur there and fail.
 *
 * Context: AS-safe; memory only through memory.h; bounded steps and stack.
 */
#ifndef LIBPROF_UNWIND_DWARF_EXPR_H
#define LIBPROF_UNWIND_DWARF_EXPR_H

#include "unwind/arch.h"
#include "unwind/stack_memory.h"

struct expr {
    const uint8_t *code, *end;
};

/* The expression block (ULEB length, then code) at `block`; it was bounds-checked when it was met.
 */
struct expr expr_at_block(const uint8_t *block);

/* regs: of the frame being unwound. valid: bit n is set if register n may be
 * used. memory: NULL forbids reading any. push_cfa: the stack starts with *cfa,
 * as register rules want; CFA rules pass NULL. false: malformed, an unknown
 * operation, an invalid register or unreadable memory. */
bool expr_eval(struct expr expr, const struct arch_regs *regs, uint64_t valid,
               struct memory *memory, const uintptr_t *cfa, uintptr_t *result);

/* Is it "register + offset", and no more? */
bool expr_is_register(struct expr expr, uint64_t *reg, int64_t *offset);

/* Is it "the word at register + offset, plus addend", and no more? */
bool expr_is_deref(struct expr expr, uint64_t *reg, int64_t *offset, int64_t *addend);

#endif
