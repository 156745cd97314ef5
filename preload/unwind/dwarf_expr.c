#include "unwind/dwarf_expr.h"

#include "unwind/bytes.h"

#define STACK_DEPTH 16 /* glibc's and OpenSSL's deepest need 4 */
#define MAX_STEPS 256  /* bounds DW_OP_bra loops */

/* DWARF 5, table 7.9. */
enum {
    OP_addr = 0x03,
    OP_deref = 0x06,
    OP_const1u = 0x08,
    OP_const8s = 0x0f,
    OP_constu = 0x10,
    OP_consts = 0x11,
    OP_dup = 0x12,
    OP_drop = 0x13,
    OP_over = 0x14,
    OP_pick = 0x15,
    OP_swap = 0x16,
    OP_rot = 0x17,
    OP_abs = 0x19,
    OP_and = 0x1a,
    OP_div = 0x1b,
    OP_minus = 0x1c,
    OP_mod = 0x1d,
    OP_mul = 0x1e,
    OP_neg = 0x1f,
    OP_not = 0x20,
    OP_or = 0x21,
    OP_plus = 0x22,
    OP_plus_uconst = 0x23,
    OP_shl = 0x24,
    OP_shr = 0x25,
    OP_shra = 0x26,
    OP_xor = 0x27,
    OP_bra = 0x28,
    OP_eq = 0x29,
    OP_ge = 0x2a,
    OP_gt = 0x2b,
    OP_le = 0x2c,
    OP_lt = 0x2d,
    OP_ne = 0x2e,
    OP_skip = 0x2f,
    OP_lit0 = 0x30,
    OP_lit31 = 0x4f,
    OP_breg0 = 0x70,
    OP_breg31 = 0x8f,
    OP_bregx = 0x92,
    OP_deref_size = 0x94,
    OP_nop = 0x96,
};

struct machine {
    uint64_t stack[STACK_DEPTH];
    unsigned depth;
    bool bad;
    const struct arch_regs *regs;
    uint64_t valid;
    struct memory *memory;
};

static void push(struct machine *m, uint64_t value)
{
    if (m->depth == STACK_DEPTH)
        m->bad = true;
    else
        m->stack[m->depth++] = value;
}

static uint64_t pop(struct machine *m)
{
    if (m->depth == 0) {
        m->bad = true;
        return 0;
    }
    return m->stack[--m->depth];
}

static void push_picked(struct machine *m, unsigned index)
{
    if (index >= m->depth)
        m->bad = true;
    else
        push(m, m->stack[m->depth - 1 - index]);
}

static void push_register(struct machine *m, uint64_t reg, int64_t offset)
{
    if (reg >= ARCH_REGISTERS || !(m->valid >> reg & 1))
        m->bad = true;
    else
        push(m, m->regs->r[reg] + (uint64_t)offset);
}

static void dereference(struct machine *m, unsigned size)
{
    uintptr_t value;
    uintptr_t address = pop(m);
    if (m->bad || !m->memory || size == 0 || size > 8 || !memory_read(m->memory, address, &value)) {
        m->bad = true;
        return;
    }
    push(m, size == 8 ? value : value & ((UINT64_C(1) << (8 * size)) - 1));
}

static void operate_unary(struct machine *m, uint8_t op)
{
    uint64_t a = pop(m);
    switch (op) {
    case OP_abs:
        push(m, (int64_t)a < 0 ? 0 - a : a);
        break;
    case OP_neg:
        push(m, 0 - a);
        break;
    default:
        push(m, ~a);
        break;
    }
}

static uint64_t divide(struct machine *m, int64_t a, int64_t b)
{
    if (b == 0 || (a == INT64_MIN && b == -1)) {
        m->bad = true;
        return 0;
    }
    return (uint64_t)(a / b);
}

static void operate_binary(struct machine *m, uint8_t op)
{
    uint64_t b = pop(m), a = pop(m);
    int64_t sa = (int64_t)a, sb = (int64_t)b;
    switch (op) {
    case OP_and:
        push(m, a & b);
        break;
    case OP_div:
        push(m, divide(m, sa, sb));
        break;
    case OP_minus:
        push(m, a - b);
        break;
    case OP_mod:
        if (b == 0)
            m->bad = true;
        else
            push(m, a % b);
        break;
    case OP_mul:
        push(m, a * b);
        break;
    case OP_or:
        push(m, a | b);
        break;
    case OP_plus:
        push(m, a + b);
        break;
    case OP_shl:
        push(m, b < 64 ? a << b : 0);
        break;
    case OP_shr:
        push(m, b < 64 ? a >> b : 0);
        break;
    case OP_shra:
        /* cppcheck-suppress shiftTooManyBitsSigned ; gcc and clang shift the sign in */
        push(m, (uint64_t)(sa >> (b < 64 ? b : 63)));
        break;
    case OP_xor:
        push(m, a ^ b);
        break;
    case OP_eq:
        push(m, a == b);
        break;
    case OP_ge:
        push(m, sa >= sb);
        break;
    case OP_gt:
        push(m, sa > sb);
        break;
    case OP_le:
        push(m, sa <= sb);
        break;
    case OP_lt:
        push(m, sa < sb);
        break;
    case OP_ne:
        push(m, a != b);
        break;
    default:
        m->bad = true;
        break;
    }
}

static void jump(struct machine *m, struct bytes *b, const uint8_t *begin, bool conditional)
{
    int64_t distance = bytes_signed(b, 2);
    if (conditional && pop(m) == 0)
        return;
    int64_t target = (b->at - begin) + distance;
    if (target < 0 || target > b->end - begin)
        m->bad = true;
    else
        b->at = begin + target;
}

/* Operations that move values about. */
static void shuffle(struct machine *m, uint8_t op, struct bytes *b)
{
    uint64_t x, y, z;
    switch (op) {
    case OP_dup:
        push_picked(m, 0);
        break;
    case OP_drop:
        pop(m);
        break;
    case OP_over:
        push_picked(m, 1);
        break;
    case OP_pick:
        push_picked(m, bytes_u8(b));
        break;
    case OP_swap:
        x = pop(m), y = pop(m);
        push(m, x), push(m, y);
        break;
    default: /* OP_rot: the top goes third */
        x = pop(m), y = pop(m), z = pop(m);
        push(m, x), push(m, z), push(m, y);
        break;
    }
}

static void step(struct machine *m, struct bytes *b, const uint8_t *begin)
{
    uint8_t op = bytes_u8(b);
    if (op >= OP_lit0 && op <= OP_lit31) {
        push(m, op - OP_lit0);
    } else if (op >= OP_breg0 && op <= OP_breg31) {
        push_register(m, op - OP_breg0, bytes_sleb(b));
    } else if (op >= OP_const1u && op <= OP_const8s) {
        size_t size = (size_t)1 << ((op - OP_const1u) / 2);
        push(m, (op - OP_const1u) % 2 ? (uint64_t)bytes_signed(b, size) : bytes_unsigned(b, size));
    } else if (op >= OP_dup && op <= OP_rot) {
        shuffle(m, op, b);
    } else if (op == OP_abs || op == OP_neg || op == OP_not) {
        operate_unary(m, op);
    } else if (op == OP_bra || op == OP_skip) {
        jump(m, b, begin, op == OP_bra);
    } else if (op == OP_plus_uconst) {
        push(m, pop(m) + bytes_uleb(b));
    } else if (op >= OP_and && op <= OP_ne) {
        operate_binary(m, op);
    } else if (op == OP_addr) {
        push(m, bytes_unsigned(b, 8));
    } else if (op == OP_constu) {
        push(m, bytes_uleb(b));
    } else if (op == OP_consts) {
        push(m, (uint64_t)bytes_sleb(b));
    } else if (op == OP_bregx) {
        uint64_t reg = bytes_uleb(b);
        push_register(m, reg, bytes_sleb(b));
    } else if (op == OP_deref) {
        dereference(m, 8);
    } else if (op == OP_deref_size) {
        dereference(m, bytes_u8(b));
    } else if (op != OP_nop) {
        m->bad = true;
    }
}

bool expr_eval(struct expr expr, const struct arch_regs *regs, uint64_t valid,
               struct memory *memory, const uintptr_t *cfa, uintptr_t *result)
{
    struct machine m = {.regs = regs, .valid = valid, .memory = memory};
    struct bytes b = {expr.code, expr.end, false};
    if (cfa)
        push(&m, *cfa);
    for (unsigned steps = 0; b.at < b.end; steps++) {
        step(&m, &b, expr.code);
        if (m.bad || b.bad || steps == MAX_STEPS)
            return false;
    }
    *result = pop(&m);
    return !m.bad;
}

struct expr expr_at_block(const uint8_t *block)
{
    struct bytes b = {block, block + 10, false};
    uint64_t size = bytes_uleb(&b);
    return (struct expr){b.at, b.at + size};
}

static bool read_register(struct bytes *b, uint64_t *reg, int64_t *offset)
{
    uint8_t op = bytes_u8(b);
    if (op >= OP_breg0 && op <= OP_breg31)
        *reg = (uint64_t)(op - OP_breg0);
    else if (op == OP_bregx)
        *reg = bytes_uleb(b);
    else
        return false;
    *offset = bytes_sleb(b);
    return !b->bad;
}

bool expr_is_register(struct expr expr, uint64_t *reg, int64_t *offset)
{
    struct bytes b = {expr.code, expr.end, false};
    return read_register(&b, reg, offset) && b.at == b.end;
}

bool expr_is_deref(struct expr expr, uint64_t *reg, int64_t *offset, int64_t *addend)
{
    struct bytes b = {expr.code, expr.end, false};
    *addend = 0;
    if (!read_register(&b, reg, offset) || bytes_u8(&b) != OP_deref)
        return false;
    if (b.at < b.end) {
        if (bytes_u8(&b) != OP_plus_uconst)
            return false;
        *addend = (int64_t)bytes_uleb(&b);
    }
    return !b.bad && b.at == b.end;
}
