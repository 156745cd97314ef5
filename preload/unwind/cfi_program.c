/* The call frame instructions' interpreter. */
#include "unwind/bytes.h"
#include "unwind/cfi.h"

/* DWARF 5, table 7.29. */
enum {
    CFA_nop = 0x00,
    CFA_set_loc = 0x01,
    CFA_advance_loc1 = 0x02,
    CFA_advance_loc2 = 0x03,
    CFA_advance_loc4 = 0x04,
    CFA_offset_extended = 0x05,
    CFA_restore_extended = 0x06,
    CFA_undefined = 0x07,
    CFA_same_value = 0x08,
    CFA_register = 0x09,
    CFA_remember_state = 0x0a,
    CFA_restore_state = 0x0b,
    CFA_def_cfa = 0x0c,
    CFA_def_cfa_register = 0x0d,
    CFA_def_cfa_offset = 0x0e,
    CFA_def_cfa_expression = 0x0f,
    CFA_expression = 0x10,
    CFA_offset_extended_sf = 0x11,
    CFA_def_cfa_sf = 0x12,
    CFA_def_cfa_offset_sf = 0x13,
    CFA_val_offset = 0x14,
    CFA_val_offset_sf = 0x15,
    CFA_val_expression = 0x16,
    CFA_AARCH64_negate_ra_state_with_pc = 0x2c,
    CFA_AARCH64_negate_ra_state = 0x2d, /* elsewhere GNU_window_save */
    CFA_GNU_args_size = 0x2e,
    CFA_GNU_negative_offset_extended = 0x2f,
    CFA_advance_loc = 0x40,
    CFA_offset = 0x80,
    CFA_restore = 0xc0,
};

#define REMEMBERED 6 /* GCC and clang nest 1 deep, hand-written assembly 2 */

struct run {
    const struct cfi_fde *fde;
    struct bytes b;
    uintptr_t delta;
    uintptr_t location, wanted;
    struct cfi_row *row;
    const struct cfi_row *initial; /* NULL while the CIE's own program runs */
    struct cfi_row remembered[REMEMBERED];
    unsigned depth;
    bool bad;
};

static void set_rule(struct run *run, uint64_t reg, enum cfi_kind kind, int64_t value)
{
    int row = arch_row(reg);
    if (row >= 0)
        run->row->rules[row] = (struct cfi_rule){.value = value, .kind = (uint8_t)kind};
}

static void restore_rule(struct run *run, uint64_t reg)
{
    int row = arch_row(reg);
    if (!run->initial)
        run->bad = true;
    else if (row >= 0)
        run->row->rules[row] = run->initial->rules[row];
}

/* Steps over an expression block; its address here, or 0 when it's out of bounds. */
static int64_t take_block(struct run *run)
{
    const uint8_t *block = run->b.at;
    uint64_t size = bytes_uleb(&run->b);
    bytes_skip(&run->b, size);
    return (int64_t)(intptr_t)block;
}

static int64_t scaled(const struct run *run, int64_t offset)
{
    return (int64_t)((uint64_t)offset * (uint64_t)run->fde->data_align);
}

static void set_cfa(struct run *run, uint64_t reg, int64_t offset)
{
    if (reg >= ARCH_REGISTERS)
        run->bad = true;
    run->row->cfa_is_expression = false;
    run->row->cfa_register = (uint16_t)reg;
    run->row->cfa_offset = offset;
}

static void set_location(struct run *run, uintptr_t location)
{
    if (location < run->location)
        run->bad = true;
    run->location = location;
}

static void execute_cfa(struct run *run, uint8_t op)
{
    struct bytes *b = &run->b;
    struct cfi_row *row = run->row;
    uint64_t reg;
    switch (op) {
    case CFA_def_cfa:
        reg = bytes_uleb(b);
        set_cfa(run, reg, (int64_t)bytes_uleb(b));
        break;
    case CFA_def_cfa_sf:
        reg = bytes_uleb(b);
        set_cfa(run, reg, scaled(run, bytes_sleb(b)));
        break;
    case CFA_def_cfa_register:
        /* After an expression there is no offset to keep. */
        set_cfa(run, bytes_uleb(b), row->cfa_is_expression ? 0 : row->cfa_offset);
        break;
    case CFA_def_cfa_offset:
        set_cfa(run, row->cfa_register, (int64_t)bytes_uleb(b));
        break;
    case CFA_def_cfa_offset_sf:
        set_cfa(run, row->cfa_register, scaled(run, bytes_sleb(b)));
        break;
    default: /* CFA_def_cfa_expression */
        row->cfa_is_expression = true;
        row->cfa_offset = take_block(run);
        break;
    }
}

static void execute_state(struct run *run, uint8_t op)
{
    if (op == CFA_remember_state) {
        if (run->depth == REMEMBERED)
            run->bad = true;
        else
            run->remembered[run->depth++] = *run->row;
    } else if (run->depth == 0) {
        run->bad = true;
    } else {
        *run->row = run->remembered[--run->depth];
    }
}

static void execute_rule(struct run *run, uint8_t op)
{
    struct bytes *b = &run->b;
    uint64_t reg = bytes_uleb(b);
    switch (op) {
    case CFA_offset_extended:
        set_rule(run, reg, CFI_OFFSET, scaled(run, (int64_t)bytes_uleb(b)));
        break;
    case CFA_offset_extended_sf:
        set_rule(run, reg, CFI_OFFSET, scaled(run, bytes_sleb(b)));
        break;
    case CFA_GNU_negative_offset_extended:
        set_rule(run, reg, CFI_OFFSET, -scaled(run, (int64_t)bytes_uleb(b)));
        break;
    case CFA_val_offset:
        set_rule(run, reg, CFI_VAL_OFFSET, scaled(run, (int64_t)bytes_uleb(b)));
        break;
    case CFA_val_offset_sf:
        set_rule(run, reg, CFI_VAL_OFFSET, scaled(run, bytes_sleb(b)));
        break;
    case CFA_restore_extended:
        restore_rule(run, reg);
        break;
    case CFA_undefined:
        set_rule(run, reg, CFI_UNDEFINED, 0);
        break;
    case CFA_same_value:
        set_rule(run, reg, CFI_SAME, 0);
        break;
    case CFA_register:
        set_rule(run, reg, CFI_REGISTER, (int64_t)bytes_uleb(b));
        break;
    case CFA_expression:
        set_rule(run, reg, CFI_EXPRESSION, take_block(run));
        break;
    default: /* CFA_val_expression */
        set_rule(run, reg, CFI_VAL_EXPRESSION, take_block(run));
        break;
    }
}

static void execute(struct run *run)
{
    struct bytes *b = &run->b;
    uint8_t op = bytes_u8(b);
    uint8_t low = op & 0x3f;
    uint64_t code_align = run->fde->code_align;
    switch (op & 0xc0) {
    case CFA_advance_loc:
        set_location(run, run->location + low * code_align);
        return;
    case CFA_offset:
        set_rule(run, low, CFI_OFFSET, scaled(run, (int64_t)bytes_uleb(b)));
        return;
    case CFA_restore:
        restore_rule(run, low);
        return;
    default:
        break;
    }
    if (op >= CFA_advance_loc1 && op <= CFA_advance_loc4) {
        size_t size = (size_t)1 << (op - CFA_advance_loc1);
        set_location(run, run->location + bytes_unsigned(b, size) * code_align);
    } else if (op >= CFA_def_cfa && op <= CFA_def_cfa_expression) {
        execute_cfa(run, op);
    } else if (op == CFA_def_cfa_sf || op == CFA_def_cfa_offset_sf) {
        execute_cfa(run, op);
    } else if (op == CFA_remember_state || op == CFA_restore_state) {
        execute_state(run, op);
    } else if ((op >= CFA_offset_extended && op <= CFA_val_expression) ||
               op == CFA_GNU_negative_offset_extended) {
        execute_rule(run, op);
    } else if (op == CFA_GNU_args_size) {
        bytes_uleb(b);
    } else if (op == CFA_set_loc) {
        /* Only absolute and PC-relative 4 and 8 byte forms have been seen. */
        uintptr_t at = (uintptr_t)b->at + run->delta;
        bool narrow = (run->fde->encoding & 0x0f) == 0x03 || (run->fde->encoding & 0x0f) == 0x0b;
        uintptr_t value = (uintptr_t)bytes_signed(b, narrow ? 4 : 8);
        set_location(run, value + ((run->fde->encoding & 0x70) == 0x10 ? at : 0));
    } else if (op != CFA_nop && op != CFA_AARCH64_negate_ra_state &&
               op != CFA_AARCH64_negate_ra_state_with_pc) {
        /* negate_ra_state: return addresses are always stripped (arch_code_address) */
        run->bad = true;
    }
}

/* Runs until the location passes the wanted PC. */
static bool run_program(struct run *run, const uint8_t *program, const uint8_t *end,
                        uintptr_t delta)
{
    run->b = (struct bytes){program, end, false};
    run->delta = delta;
    while (run->b.at < run->b.end && run->location <= run->wanted && !run->bad)
        execute(run);
    return !run->bad && !run->b.bad;
}

bool cfi_run(const struct cfi_fde *fde, uintptr_t pc, struct cfi_row *row)
{
    struct cfi_row initial;
    struct run run;
    run.fde = fde;
    run.location = fde->start;
    run.wanted = pc;
    run.row = row;
    run.initial = NULL;
    run.depth = 0;
    run.bad = false;
    memset(row, 0, sizeof *row);
    row->cfa_register = ARCH_REGISTERS; /* none: must be set */
    if (!run_program(&run, fde->initial, fde->initial_end, fde->initial_delta))
        return false;
    initial = *row;
    run.initial = &initial;
    run.location = fde->start;
    if (!run_program(&run, fde->program, fde->program_end, fde->program_delta))
        return false;
    return row->cfa_is_expression || row->cfa_register < ARCH_REGISTERS;
}
