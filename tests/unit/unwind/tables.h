/* Hand-made .eh_frame_hdr and .eh_frame bytes for the interpreter's tests. */
#ifndef TESTS_UNIT_UNWIND_TABLES_H
#define TESTS_UNIT_UNWIND_TABLES_H

#include "unwind/cfi.h"

#include <stdlib.h>
#include <string.h>

#define TABLES_PC 0x100000u /* the function made up here covers [TABLES_PC, TABLES_PC + 0x1000) */
#define TABLES_SIZE 0x1000u

struct tables {
    uint8_t bytes[1024];
    size_t size;
    struct cfi_source source;
};

static inline void put(struct tables *t, const void *bytes, size_t size)
{
    if (t->size + size > sizeof t->bytes)
        abort();
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
}

static inline void put_u32(struct tables *t, uint32_t value)
{
    put(t, &value, sizeof value);
}

static inline void put_u8(struct tables *t, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    put(t, &byte, 1);
}

/* Pads the record that began at `start` with DW_CFA_nop and fills in its length. */
static inline void put_length(struct tables *t, size_t start)
{
    while ((t->size - start) % 8 != 4)
        put_u8(t, 0);
    uint32_t length = (uint32_t)(t->size - start - 4);
    memcpy(t->bytes + start, &length, sizeof length);
}

/*
 * A header with a table of one entry, a CIE (code alignment 1, data alignment
 * -8, CFA = SP + 8, the return address at CFA - 8) and an FDE with the given
 * instructions. augmentation: "zR" or "zRS".
 */
static inline void tables_make(struct tables *t, const char *augmentation, const void *program,
                               size_t program_size)
{
    static const uint8_t hdr[] = {1, 0x1b /* pcrel sdata4 */, 0x03 /* udata4 */,
                                  0x3b /* datarel sdata4 */};
    memset(t, 0, sizeof *t);
    uintptr_t base = (uintptr_t)t->bytes;
    put(t, hdr, sizeof hdr);
    put_u32(t, 20 - 4);                /* .eh_frame, from here */
    put_u32(t, 1);                     /* entries */
    put_u32(t, (uint32_t)(TABLES_PC)); /* a function at hdr + TABLES_PC */
    put_u32(t, 0);                     /* its FDE: below */
    size_t cie = t->size;
    put_u32(t, 0);
    put_u32(t, 0); /* CIE */
    put_u8(t, 1);  /* version */
    put(t, augmentation, strlen(augmentation) + 1);
    put_u8(t, 1);    /* code alignment */
    put_u8(t, 0x78); /* data alignment: -8 */
    put_u8(t, ARCH_RA);
    put_u8(t, 1);                                      /* augmentation data */
    put_u8(t, 0x1b);                                   /* R: pcrel sdata4 */
    put_u8(t, 0x0c), put_u8(t, ARCH_SP), put_u8(t, 8); /* DW_CFA_def_cfa */
    put_u8(t, 0x80 | ARCH_RA), put_u8(t, 1);           /* DW_CFA_offset */
    put_length(t, cie);
    size_t fde = t->size;
    uint32_t fde_offset = (uint32_t)fde;
    memcpy(t->bytes + 16, &fde_offset, sizeof fde_offset);
    put_u32(t, 0);
    put_u32(t, (uint32_t)(t->size - cie));
    put_u32(t, (uint32_t)(TABLES_PC - t->size)); /* function: hdr + TABLES_PC, pcrel */
    put_u32(t, TABLES_SIZE);
    put_u8(t, 0); /* augmentation data */
    put(t, program, program_size);
    put_length(t, fde);
    put_u32(t, 0); /* terminator */
    t->source = (struct cfi_source){base, base, base + t->size, false, NULL};
}

/* A PC in the made-up function. */
static inline uintptr_t tables_pc(const struct tables *t, uintptr_t offset)
{
    return (uintptr_t)t->bytes + TABLES_PC + offset;
}

#endif
