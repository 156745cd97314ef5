#include "unwind/step.h"
#include "unwind/dwarf_expr.h"
#include "unwind/guess.h"
#include "unwind/tables.h"

struct apply_request {
    struct arch_regs *regs;
    bool *exact;
    struct memory *memory;
};

static bool apply_rule(const struct cfi_rule *rule, const struct arch_regs *old, uintptr_t cfa,
                       struct memory *memory, uintptr_t *value)
{
    uintptr_t address = cfa + (uintptr_t)(intptr_t)rule->value;
    const uint8_t *block = (const uint8_t *)(intptr_t)rule->value;
    switch (rule->kind) {
    case CFI_OFFSET:
        return memory_read(memory, address, value);
    case CFI_VAL_OFFSET:
        *value = address;
        return true;
    case CFI_REGISTER:
        if (rule->value < 0 || rule->value >= ARCH_REGISTERS)
            return false;
        *value = old->r[rule->value];
        return true;
    case CFI_EXPRESSION:
        return expr_eval(expr_at_block(block), old, UINT64_MAX, memory, &cfa, &address) &&
               memory_read(memory, address, value);
    case CFI_VAL_EXPRESSION:
        return expr_eval(expr_at_block(block), old, UINT64_MAX, memory, &cfa, value);
    default:
        *value = 0;
        return true;
    }
}

/* Applies a row to the full register set. */
static enum walk_status apply(const struct reading *reading, void *data)
{
    const struct apply_request *request = data;
    const struct cfi_row *row = &reading->row;
    struct arch_regs *regs = request->regs, old = *regs;
    uintptr_t cfa;
    /* The kernel's own tables for aarch64 give the PC but not the link register. */
    if (ARCH_RA != ARCH_PC && reading->fde.signal_frame &&
        guess_signal_step(regs, request->exact, request->memory))
        return WALK_ON;
    if (row->rules[arch_row(ARCH_RA)].kind == CFI_UNDEFINED)
        return WALK_COMPLETE;
    if (!row->cfa_is_expression)
        cfa = old.r[row->cfa_register] + (uintptr_t)row->cfa_offset;
    else if (!expr_eval(expr_at_block((const uint8_t *)(intptr_t)row->cfa_offset), &old, UINT64_MAX,
                        request->memory, NULL, &cfa))
        return WALK_BROKEN;
    regs->r[ARCH_SP] = cfa;
    for (int i = 0; i < ARCH_ROWS; i++) {
        const struct cfi_rule *rule = &row->rules[i];
        if (rule->kind == CFI_SAME)
            continue;
        /* A callee-saved register that can't be had matters only if it is used. */
        if (!apply_rule(rule, &old, cfa, request->memory, &regs->r[arch_row_register(i)])) {
            if (arch_row_register(i) == ARCH_RA || arch_row_register(i) == ARCH_SP)
                return WALK_BROKEN;
            regs->r[arch_row_register(i)] = 0;
        }
    }
    regs->r[ARCH_PC] = arch_code_address(regs->r[ARCH_RA]);
    bool signal_frame = reading->fde.signal_frame;
    uintptr_t sp = regs->r[ARCH_SP];
    /* An interrupted function may have left its frame already: its return address
     * is in a register (aarch64's leaves; the last jump of _Unwind_RaiseException). */
    bool rises = sp > old.r[ARCH_SP] || (*request->exact && sp == old.r[ARCH_SP]);
    if (!signal_frame && !rises)
        return WALK_BROKEN;
    memory_adopt(request->memory, sp);
    *request->exact = signal_frame;
    return regs->r[ARCH_PC] == 0 ? WALK_COMPLETE : WALK_ON;
}

/* A step by the tables with every register. false: no table covers the PC. */
__attribute__((noinline, cold)) static bool step_by_tables(const struct module_entry *entry,
                                                           uintptr_t pc,
                                                           struct apply_request *request,
                                                           enum walk_status *status)
{
    struct reading reading;
    return entry && tables_read(entry, pc, &reading, &request->memory->effort, apply, request,
                                status) == TABLES_ROW;
}

/* One step with every register. */
static enum walk_status step_full(struct arch_regs *regs, bool *exact, struct memory *memory)
{
    uintptr_t pc = regs->r[ARCH_PC] - (*exact ? 0 : 1);
    struct apply_request request = {regs, exact, memory};
    unsigned module = module_find_within(pc, &memory->effort);
    enum walk_status status = WALK_BROKEN;
    if (step_by_tables(module_entry_get(module), pc, &request, &status))
        return status;
    return guess_step(regs, exact, memory, module);
}

/* Brings the anchor up to the frame the walk stands on. */
static bool reach(struct walk *walk)
{
    if (!walk->anchor_valid)
        return false;
    while (walk->anchor_steps < walk->steps) {
        if (step_full(&walk->anchor, &walk->anchor_exact, &walk->memory) != WALK_ON)
            return false;
        walk->anchor_steps++;
    }
    return walk->anchor.r[ARCH_SP] == walk->sp &&
           walk->anchor.r[ARCH_PC] - (walk->anchor_exact ? 0 : 1) == walk->lookup;
}

/* A step that may need, or may give, registers beyond the three. */
static enum walk_status step_by_registers(struct walk *walk, bool guess, unsigned module)
{
    bool reached = reach(walk);
    walk->lacks_registers |= !reached;
    if (!reached && !guess)
        return walk->anchor_valid = false, WALK_BROKEN;
    if (!reached) {
        memset(&walk->anchor, 0, sizeof walk->anchor);
        walk->anchor.r[ARCH_PC] = walk->lookup + (walk->exact ? 0 : 1);
        walk->anchor.r[ARCH_SP] = walk->sp;
        walk->anchor.r[ARCH_FP] = walk->fp;
        walk->anchor_exact = walk->exact;
    }
    enum walk_status status =
        guess ? guess_step(&walk->anchor, &walk->anchor_exact, &walk->memory, module)
              : step_full(&walk->anchor, &walk->anchor_exact, &walk->memory);
    walk->anchor_steps = walk->steps + 1;
    walk->lookup = walk->anchor.r[ARCH_PC] - (walk->anchor_exact ? 0 : 1);
    walk->sp = walk->anchor.r[ARCH_SP];
    walk->fp = walk->anchor.r[ARCH_FP];
    walk->exact = walk->anchor_exact;
    return status;
}

/* A plain or realigned frame, wherever its memory lies. */
static enum walk_status step_by_offsets(struct walk *walk, uint64_t rule)
{
    uintptr_t cfa, ra, fp = walk->fp, fp_at;
    if (rule & RULE_PLAIN) {
        cfa = (rule & RULE_BASE_FP ? walk->fp : walk->sp) + (uintptr_t)rule_cfa_offset(rule);
        fp_at = cfa + (uintptr_t)rule_fp_offset(rule);
    } else {
        fp_at = walk->fp + (uintptr_t)rule_fp_offset(rule);
        if (!memory_read(&walk->memory, walk->fp + (uintptr_t)rule_cfa_offset(rule), &cfa))
            return WALK_BROKEN;
    }
    if (cfa <= walk->sp) {
        /* The end of a chain of frame pointers; not an end that tables have. */
        return walk->by_frame_pointer && walk->fp == 0 ? WALK_COMPLETE : WALK_BROKEN;
    }
    if (!memory_read(&walk->memory, cfa + (uintptr_t)rule_ra_offset(rule), &ra))
        return WALK_BROKEN;
    if ((!(rule & RULE_PLAIN) || (rule & RULE_FP_SAVED)) && !memory_read(&walk->memory, fp_at, &fp))
        return WALK_BROKEN;
    ra = arch_code_address(ra);
    walk->fp = fp;
    walk->sp = cfa;
    walk->lookup = ra - 1;
    walk->exact = false;
    memory_adopt(&walk->memory, cfa);
    return ra == 0 ? WALK_COMPLETE : WALK_ON;
}

/* A leaf that keeps its return address in the link register: only where the
 * registers are known, which is at the interrupted frame. */
static enum walk_status step_by_link_register(struct walk *walk, uint64_t rule)
{
    uintptr_t ra = arch_code_address(walk->anchor.r[ARCH_RA]);
    if (!walk->exact || !walk->anchor_valid || walk->anchor_steps != walk->steps)
        return WALK_BROKEN;
    walk->sp += (uintptr_t)rule_cfa_offset(rule);
    walk->lookup = ra - 1;
    walk->exact = false;
    return ra == 0 ? WALK_COMPLETE : WALK_ON;
}

enum walk_status step_any(struct walk *walk, uint64_t rule, unsigned *module)
{
    rule = tables_rule(walk->lookup, rule, walk->by_frame_pointer && !walk_is_own(walk),
                       &walk->memory.effort);
    *module = rule_module(rule);
    if (walk->steps >= WALK_MAX_STEPS || walk->memory.effort.spent)
        return WALK_BROKEN;
    if (walk->by_frame_pointer && walk->exact && !walk_is_own(walk))
        return step_by_registers(walk, true, *module);
    if (rule & RULE_PLAIN)
        return step_by_offsets(walk, rule);
    switch (rule_special(rule)) {
    case RULE_END:
        return WALK_COMPLETE;
    case RULE_DEREF:
        return step_by_offsets(walk, rule);
    case RULE_NO_CFI:
        return step_by_registers(walk, true, *module);
    case RULE_LEAF:
        return step_by_link_register(walk, rule);
    default: /* RULE_TABLE */
        return step_by_registers(walk, false, *module);
    }
}
