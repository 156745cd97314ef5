#include "fuzz.h"

#include "unwind/cfi.h"
#include "unwind/module_table.h"
#include "unwind/rule.h"
#include "unwind/unwind.h"
#include "unwind/walk_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

static void try_pc(const struct cfi_source *source, uintptr_t pc)
{
    struct cfi_scratch scratch;
    struct cfi_fde fde;
    struct cfi_row row;
    if (cfi_find_fde(source, pc, &scratch, &fde) == CFI_FOUND && cfi_run(&fde, pc, &row))
        rule_pack(&fde, &row, pc, 1);
}

void fuzz_tables(const uint8_t *data, size_t size)
{
    /* Of the exact size, so that a sanitizer sees a byte too many. */
    uint8_t *bytes = malloc(size ? size : 1);
    if (size)
        memcpy(bytes, data, size);
    uintptr_t base = (uintptr_t)bytes;
    struct cfi_source source = {base, base, base + size, false, NULL};
    for (size_t at = 12; at + 8 <= size && at < 12 + 8 * 16; at += 8) {
        int32_t start;
        memcpy(&start, bytes + at, sizeof start);
        try_pc(&source, base + (uintptr_t)(intptr_t)start);
        try_pc(&source, base + (uintptr_t)(intptr_t)start + 20);
        source.copied = !source.copied;
    }
    try_pc(&source, base);
    free(bytes);
}

static uint8_t next_byte(const uint8_t **data, size_t *size)
{
    if (*size == 0)
        return 0;
    --*size;
    return *(*data)++;
}

#define STACK_WORDS 256

static uintptr_t pick(const uint8_t **data, size_t *size, uintptr_t *stack)
{
    uint8_t kind = next_byte(data, size), detail = next_byte(data, size);
    uintptr_t more = (uintptr_t)detail << 4 | kind >> 4;
    switch (kind & 15) {
    case 0:
    case 1:
    case 2:
        return (uintptr_t)&fuzz_tables - 2048 + more;
    case 3:
    case 4:
        return (uintptr_t)&qsort + more;
    case 5:
        return getauxval(AT_SYSINFO_EHDR) + more * 4;
    case 6:
    case 7:
    case 8:
        return (uintptr_t)(stack + detail % STACK_WORDS) + (kind == 0xf8);
    case 9:
        return (uintptr_t)stdout + more;
    case 10:
        return more;
    case 11:
        return (uintptr_t)&fuzz_tables + ((uintptr_t)detail << 20);
    case 12:
        return UINTPTR_MAX - more;
    case 13:
        return (uintptr_t)detail << 56 | 0x7fff0000;
    case 14:
        return ((uintptr_t)stack & ~(uintptr_t)4095) + 4096 - 8 + detail % 16;
    default:
        return 0;
    }
}

void fuzz_walk(const uint8_t *data, size_t size)
{
    uintptr_t stack[STACK_WORDS];
    uint64_t frames[64];
    struct arch_regs regs;
    ucontext_t context;
    enum unwind_end end;
    uint8_t mode = next_byte(&data, &size);
    for (int i = 0; i < ARCH_REGISTERS; i++)
        regs.r[i] = pick(&data, &size, stack);
    for (int i = 0; i < STACK_WORDS; i++)
        stack[i] = pick(&data, &size, stack);
    if (mode & 1)
        regs.r[ARCH_SP] = (uintptr_t)(stack + mode % 64);
    memset(&context, 0, sizeof context);
    arch_to_context(&regs, &context);
    struct unwind_stack limits = {.low = (uintptr_t)stack,
                                  .high = (uintptr_t)(stack + STACK_WORDS)};
    walk_engine = mode & 4 ? UNWIND_FP : UNWIND_CFI;
    unsigned count = unwind_context(&context, mode & 2 ? &limits : NULL, frames, 64, &end);
    if (count == 0 || count > 64)
        abort(); /* the PC itself is always a frame */
    walk_engine = UNWIND_CFI;
}
