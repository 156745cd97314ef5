#include "patch/decode.h"

#include <string.h>

#define REX_W 8
#define NO_MODRM 0xff

/* What is known of an instruction. */
struct instruction {
    unsigned length;
    unsigned relative_at; /* where its RIP-relative displacement lies; 0: it has none */
    bool is_short;        /* a jump whose displacement is a byte, the last */
};

static bool is_short_jump(uint8_t opcode)
{
    return (opcode & 0xf0) == 0x70 || opcode == 0xeb;
}

/* Of a jump: its length. 0: it is none. */
static unsigned jump_length(const uint8_t *code, uint64_t room)
{
    if (room >= 2 && is_short_jump(code[0]))
        return 2;
    if (room >= 5 && code[0] == 0xe9)
        return 5;
    return room >= 6 && code[0] == 0x0f && (code[1] & 0xf0) == 0x80 ? 6 : 0;
}

/* The length of a ModRM operand with its SIB and displacement. */
static unsigned operand_length(const uint8_t *modrm, unsigned room, unsigned *relative_at)
{
    unsigned mod = modrm[0] >> 6, rm = modrm[0] & 7, length = 1;
    *relative_at = 0;
    if (mod == 3)
        return length;
    if (rm == 4) {
        if (room < 2)
            return 0;
        length++;
        if (mod == 0 && (modrm[1] & 7) == 5)
            length += 4;
    } else if (mod == 0 && rm == 5) {
        *relative_at = 1;
        length += 4;
    }
    if (mod == 1)
        length += 1;
    else if (mod == 2)
        length += 4;
    return length;
}

/* One-byte opcodes with a ModRM operand and nothing after it: mov, arithmetic, test, lea, movsxd.
 */
static bool takes_operand(uint8_t opcode)
{
    switch (opcode) {
    case 0x63:
    case 0x84:
    case 0x85:
    case 0x88:
    case 0x89:
    case 0x8a:
    case 0x8b:
    case 0x8d:
    case 0xd1:
    case 0xd3:
        return true;
    default: /* add, or, adc, sbb, and, sub, xor, cmp: forms 0 to 3 of each */
        return opcode < 0x40 && (opcode & 7) < 4;
    }
}

/* Bytes of an immediate after a ModRM operand; -1: it is no such opcode, or not one to be moved. */
static int immediate_after(uint8_t opcode, uint8_t modrm)
{
    unsigned reg = modrm >> 3 & 7;
    switch (opcode) {
    case 0x80:
    case 0x83:
    case 0xc0:
    case 0xc1:
    case 0x6b:
        return 1;
    case 0xc6:
        return reg == 0 ? 1 : -1;
    case 0x81:
    case 0x69:
        return 4;
    case 0xc7:
        return reg == 0 ? 4 : -1;
    case 0xf6:
        return reg < 2 ? 1 : 0;
    case 0xf7:
        return reg < 2 ? 4 : 0;
    case 0xff: /* inc, dec, push; not call and jmp */
        return reg < 2 || reg == 6 ? 0 : -1;
    default:
        return -1;
    }
}

/* Two-byte opcodes, behind 0f, with a ModRM operand: nop, cmov, setcc, movzx, movsx, imul, SSE
 * moves. */
static int immediate_after_0f(uint8_t opcode)
{
    if (opcode == 0x1f || (opcode >= 0x40 && opcode <= 0x4f) ||
        (opcode >= 0x90 && opcode <= 0x9f) || opcode == 0xb6 || opcode == 0xb7 || opcode == 0xbe ||
        opcode == 0xbf || opcode == 0xaf || opcode == 0x10 || opcode == 0x11 || opcode == 0x28 ||
        opcode == 0x29 || opcode == 0x57 || opcode == 0x6e || opcode == 0x6f || opcode == 0x7e ||
        opcode == 0x7f || opcode == 0xef || opcode == 0xbc || opcode == 0xbd || opcode == 0xa3 ||
        opcode == 0xab || opcode == 0x5a)
        return 0;
    return opcode == 0xba ? 1 : -1;
}

/* Opcodes without an operand byte: their length with the immediate; 0: not one that is known. */
static unsigned plain_length(uint8_t opcode, unsigned rex)
{
    if (opcode >= 0x50 && opcode <= 0x5f) /* push, pop */
        return 1;
    if (opcode >= 0xb8 && opcode <= 0xbf) /* mov register, immediate */
        return rex & REX_W ? 9 : 5;
    if (opcode >= 0xb0 && opcode <= 0xb7)
        return 2;
    if (opcode < 0x40 && (opcode & 7) == 4)
        return 2;
    if (opcode < 0x40 && (opcode & 7) == 5)
        return 5;
    switch (opcode) {
    case 0x90:
    case 0x98:
    case 0x99:
        return 1;
    case 0x6a:
    case 0xa8:
        return 2;
    case 0x68:
    case 0xa9:
        return 5;
    default:
        return 0;
    }
}

/* False: it is not known, or must stay where it is. */
static bool decode(const uint8_t *code, uint64_t room, struct instruction *instruction)
{
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    unsigned at = 0, rex = 0, relative = 0;
    bool narrow = false;
    *instruction = (struct instruction){.length = jump_length(code, room)};
    if (instruction->length) {
        instruction->is_short = instruction->length == 2;
        instruction->relative_at = instruction->length - (instruction->is_short ? 1 : 4);
        return true;
    }
    if (room >= sizeof endbr64 && memcmp(code, endbr64, sizeof endbr64) == 0) {
        instruction->length = sizeof endbr64;
        return true;
    }
    while (at < room && (code[at] == 0x66 || code[at] == 0x64 || code[at] == 0xf3 ||
                         code[at] == 0xf2)) { /* narrow, fs:, and what SSE makes of them */
        narrow |= code[at] == 0x66;
        if (++at > 2)
            return false;
    }
    bool is_sse = at > 0 && code[0] != 0x64;
    if (at < room && (code[at] & 0xf0) == 0x40)
        rex = code[at++];
    if (at + 2 > room)
        return false;
    uint8_t opcode = code[at++];
    int immediate;
    if (opcode == 0x0f) {
        opcode = code[at++];
        immediate = immediate_after_0f(opcode);
    } else if (is_sse && !(narrow && opcode == 0x90)) {
        return false; /* rep and 16-bit forms of ordinary instructions */
    } else if (plain_length(opcode, rex)) {
        instruction->length = at - 1 + plain_length(opcode, rex);
        return instruction->length <= room;
    } else {
        immediate = takes_operand(opcode) ? 0 : immediate_after(opcode, code[at]);
    }
    if (immediate < 0 || at >= room)
        return false;
    unsigned length = operand_length(code + at, (unsigned)(room - at), &relative);
    if (!length)
        return false;
    instruction->relative_at = relative ? at + relative : 0;
    instruction->length = at + length + (unsigned)immediate;
    return instruction->length <= room;
}

/* Writes the instruction for its new place; a short jump becomes one that reaches far. Returns its
 * length there; 0: what it refers to is out of its reach, or there is no room. */
static unsigned place(const struct instruction *instruction, const uint8_t *code, uint8_t *to,
                      unsigned room)
{
    unsigned length = instruction->length, relative_at = instruction->relative_at;
    int32_t displacement;
    if (instruction->is_short) {
        bool is_conditional = code[0] != 0xeb;
        relative_at = is_conditional ? 2 : 1;
        length = relative_at + sizeof displacement;
        if (length > room)
            return 0;
        to[0] = is_conditional ? 0x0f : 0xe9;
        if (is_conditional)
            to[1] = code[0] + 0x10; /* jcc rel8 is 70+cc, jcc rel32 is 0f 80+cc */
        displacement = (int8_t)code[1];
    } else {
        if (length > room)
            return 0;
        memcpy(to, code, length);
        if (!relative_at)
            return length;
        memcpy(&displacement, code + relative_at, sizeof displacement);
    }
    int64_t target = (int64_t)(uintptr_t)code + instruction->length + displacement;
    int64_t moved = target - (int64_t)(uintptr_t)to - length;
    displacement = (int32_t)moved;
    memcpy(to + relative_at, &displacement, sizeof displacement);
    return displacement == moved ? length : 0;
}

unsigned decode_move(const uint8_t *code, uint64_t size, unsigned least, uint8_t *to,
                     unsigned *written)
{
    unsigned at = 0;
    *written = 0;
    while (at < least) {
        struct instruction instruction;
        if (!decode(code + at, size - at, &instruction))
            return 0;
        unsigned length = place(&instruction, code + at, to + *written, DECODE_MOST - *written);
        if (!length)
            return 0;
        at += instruction.length;
        *written += length;
    }
    return at;
}

bool decode_jumps_into(const uint8_t *code, uint64_t size, unsigned low, unsigned high)
{
    for (uint64_t at = 0; at + 2 <= size; at++) {
        uint8_t opcode = code[at];
        if (is_short_jump(opcode) || (opcode & 0xfc) == 0xe0) { /* loop, jrcxz */
            int64_t target = (int64_t)at + 2 + (int8_t)code[at + 1];
            if (target >= low && target < high)
                return true;
        }
        unsigned prefix = opcode == 0x0f ? 1 : 0;
        bool is_near =
            opcode == 0xe9 || opcode == 0xe8 || (prefix && (code[at + 1] & 0xf0) == 0x80);
        if (is_near && at + prefix + 5 <= size) {
            int32_t distance;
            memcpy(&distance, code + at + prefix + 1, sizeof distance);
            int64_t target = (int64_t)(at + prefix + 5) + distance;
            if (target >= low && target < high)
                return true;
        }
    }
    return false;
}
