#include "unwind/rule.h"

#include "unwind/dwarf_expr.h"

static const struct cfi_rule *rule_of(const struct cfi_row *row, unsigned reg)
{
    return &row->rules[arch_row(reg)];
}

/* Is the expression "SP + constant" once the PC is known? So it is in a PLT
 * entry, whose CFA depends on how far into the entry the PC is. Found out by
 * trying it on stack pointers that differ in alignment and magnitude. */
static bool cfa_is_sp_relative(struct expr expr, uintptr_t pc, int64_t *offset)
{
    static const uintptr_t samples[] = {0x7ffd12345000, 0x7ffd12345678, 0x1008};
    struct arch_regs regs;
    for (unsigned i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        uintptr_t cfa;
        regs.r[ARCH_SP] = samples[i];
        regs.r[ARCH_PC] = pc;
        if (!expr_eval(expr, &regs, UINT64_C(1) << ARCH_SP | UINT64_C(1) << ARCH_PC, NULL, NULL,
                       &cfa))
            return false;
        int64_t found = (int64_t)(cfa - samples[i]);
        if (i > 0 && found != *offset)
            return false;
        *offset = found;
    }
    return true;
}

/* GCC's realigned frame: CFA = word at FP - 8, FP saved at FP + 0, RA at CFA - 8. */
static bool pack_realigned(const struct cfi_row *row, unsigned module, uint64_t *rule)
{
    const struct cfi_rule *fp = rule_of(row, ARCH_FP);
    const struct cfi_rule *ra = rule_of(row, ARCH_RA);
    uint64_t reg;
    int64_t cfa_offset, addend, fp_offset;
    if (!expr_is_deref(expr_at_block((const uint8_t *)row->cfa_offset), &reg, &cfa_offset,
                       &addend) ||
        reg != ARCH_FP || addend != 0 || fp->kind != CFI_EXPRESSION ||
        !expr_is_register(expr_at_block((const uint8_t *)(intptr_t)fp->value), &reg, &fp_offset) ||
        reg != ARCH_FP || ra->kind != CFI_OFFSET)
        return false;
#if defined(__x86_64__)
    if (ra->value != -8)
        return false;
#endif
    return rule_make(RULE_DEREF, module, cfa_offset, fp_offset, ra->value, rule);
}

uint64_t rule_pack(const struct cfi_fde *fde, const struct cfi_row *row, uintptr_t pc,
                   unsigned module)
{
    const uint64_t table = rule_make_special(RULE_TABLE, module);
    const struct cfi_rule *ra = rule_of(row, ARCH_RA);
    const struct cfi_rule *fp = rule_of(row, ARCH_FP);
    const struct cfi_rule *sp = rule_of(row, ARCH_SP);
    int64_t cfa_offset = row->cfa_offset;
    unsigned low = RULE_PLAIN;
    uint64_t rule;
    if (ra->kind == CFI_UNDEFINED)
        return rule_make_special(RULE_END, module);
    if (fde->signal_frame || sp->kind != CFI_SAME)
        return table;
    if (row->cfa_is_expression) {
        if (pack_realigned(row, module, &rule))
            return rule;
        if (!cfa_is_sp_relative(expr_at_block((const uint8_t *)row->cfa_offset), pc, &cfa_offset))
            return table;
    } else if (row->cfa_register == ARCH_FP) {
        low |= RULE_BASE_FP;
    } else if (row->cfa_register != ARCH_SP) {
        return table;
    }
    if (fp->kind == CFI_OFFSET)
        low |= RULE_FP_SAVED;
    else if (fp->kind != CFI_SAME)
        return table;
    if (ra->kind == CFI_SAME && ARCH_RA != ARCH_PC && low == RULE_PLAIN)
        return rule_make(RULE_LEAF, module, cfa_offset, 0, 0, &rule) ? rule : table;
    if (ra->kind != CFI_OFFSET)
        return table;
#if defined(__x86_64__)
    if (ra->value != -8)
        return table;
#endif
    return rule_make(low, module, cfa_offset, fp->kind == CFI_OFFSET ? fp->value : 0, ra->value,
                     &rule)
               ? rule
               : table;
}
