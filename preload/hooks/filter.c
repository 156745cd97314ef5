#include "hooks/filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "port: the AUDIT_ARCH_ of this machine"
#endif

struct machine {
    uint32_t a, x, memory[BPF_MEMWORDS];
    struct seccomp_data data;
};

/* Loads into A or X. False: not among what seccomp's programs may do. */
static bool load(struct machine *machine, const struct sock_filter *code)
{
    uint32_t *into = BPF_CLASS(code->code) == BPF_LD ? &machine->a : &machine->x;
    const unsigned char *data = (const unsigned char *)&machine->data;

    switch (BPF_MODE(code->code)) {
    case BPF_IMM:
        *into = code->k;
        return true;
    case BPF_MEM:
        if (code->k >= BPF_MEMWORDS)
            return false;
        *into = machine->memory[code->k];
        return true;
    case BPF_LEN:
        *into = sizeof machine->data;
        return true;
    case BPF_ABS:
        if (code->k > sizeof machine->data - sizeof *into || code->k % sizeof *into)
            return false;
        memcpy(into, data + code->k, sizeof *into);
        return true;
    default:
        return false;
    }
}

static bool calculate(struct machine *machine, const struct sock_filter *code)
{
    uint32_t operand = BPF_SRC(code->code) == BPF_X ? machine->x : code->k;

    switch (BPF_OP(code->code)) {
    case BPF_ADD:
        machine->a += operand;
        return true;
    case BPF_SUB:
        machine->a -= operand;
        return true;
    case BPF_AND:
        machine->a &= operand;
        return true;
    case BPF_OR:
        machine->a |= operand;
        return true;
    case BPF_XOR:
        machine->a ^= operand;
        return true;
    case BPF_LSH:
        machine->a = operand < 32 ? machine->a << operand : 0;
        return true;
    case BPF_RSH:
        machine->a = operand < 32 ? machine->a >> operand : 0;
        return true;
    case BPF_NEG:
        machine->a = -machine->a;
        return true;
    default: /* nobody multiplies or divides a system call */
        return false;
    }
}

/* How many instructions a jump skips. */
static uint32_t skip(const struct machine *machine, const struct sock_filter *code)
{
    uint32_t operand = BPF_SRC(code->code) == BPF_X ? machine->x : code->k;
    bool taken;

    switch (BPF_OP(code->code)) {
    case BPF_JA:
        return code->k;
    case BPF_JEQ:
        taken = machine->a == operand;
        break;
    case BPF_JGT:
        taken = machine->a > operand;
        break;
    case BPF_JGE:
        taken = machine->a >= operand;
        break;
    case BPF_JSET:
        taken = machine->a & operand;
        break;
    default:
        return BPF_MAXINSNS; /* past the end */
    }
    return taken ? code->jt : code->jf;
}

bool filter_allows(const struct sock_fprog *program, int number)
{
    struct machine machine = {.data = {.nr = number, .arch = ARCHITECTURE}};

    /* jumps only go forward (the kernel checks that too): it ends */
    for (uint64_t at = 0; at < program->len && at < BPF_MAXINSNS; at++) {
        const struct sock_filter *code = &program->filter[at];
        bool valid = true;

        switch (BPF_CLASS(code->code)) {
        case BPF_LD:
        case BPF_LDX:
            valid = load(&machine, code);
            break;
        case BPF_ST:
        case BPF_STX:
            valid = code->k < BPF_MEMWORDS;
            if (valid)
                machine.memory[code->k] = BPF_CLASS(code->code) == BPF_ST ? machine.a : machine.x;
            break;
        case BPF_ALU:
            valid = calculate(&machine, code);
            break;
        case BPF_JMP:
            at += skip(&machine, code);
            break;
        case BPF_MISC:
            if (BPF_MISCOP(code->code) == BPF_TAX)
                machine.x = machine.a;
            else
                machine.a = machine.x;
            break;
        default: /* BPF_RET */
            return (BPF_RVAL(code->code) == BPF_A ? machine.a : code->k) == SECCOMP_RET_ALLOW;
        }
        if (!valid)
            return false;
    }
    return false;
}
