/*
 * Call frame information: finds the FDE of a PC through .eh_frame_hdr, and runs
 * its program to the row in force at that PC.
 *
 * Everything is bounds-checked: a table that lies gives "no row", never a read
 * outside [source.low, source.high). Context: AS-safe, no allocation; the
 * structures are large, keep them on the slow path.
 * Source: DWARF 5, 6.4; LSB 5.0 core, "Exception Frames".
 */
#ifndef LIBPROF_UNWIND_CFI_H
#define LIBPROF_UNWIND_CFI_H

#include "unwind/arch.h"
#include "unwind/dwarf_expr.h"

/* Where an object's tables are. */
struct cfi_source {
    uintptr_t hdr;       /* .eh_frame_hdr */
    uintptr_t low, high; /* the readable segment that holds it and .eh_frame */
    bool copied;         /* another thread may be unmapping it: copy by memory_copy, don't load */
    struct effort *effort; /* of the walk that asks; NULL: no bound */
};

/* Room for a copied FDE and its CIE. Larger ones (functions with thousands of
 * CFA changes) have no row while an object is being unloaded. */
struct cfi_scratch {
    uint8_t fde[512];
    uint8_t cie[96];
};

struct cfi_fde {
    uintptr_t start, limit;               /* the PCs it covers */
    const uint8_t *program, *program_end; /* its instructions */
    const uint8_t *initial, *initial_end; /* the CIE's instructions */
    uintptr_t program_delta,
        initial_delta; /* real address of an instruction byte - its pointer here */
    uint64_t code_align;
    int64_t data_align;
    uint8_t encoding;
    bool augmented;    /* augmentation 'z': the FDE has augmentation data */
    bool signal_frame; /* augmentation 'S' */
};

/* How to get a register of the caller. */
enum cfi_kind {
    CFI_SAME, /* unspecified counts as same, as in every unwinder */
    CFI_UNDEFINED,
    CFI_OFFSET,         /* the word at CFA + value */
    CFI_VAL_OFFSET,     /* CFA + value */
    CFI_REGISTER,       /* register `value` */
    CFI_EXPRESSION,     /* the word at the result of the block at `value` */
    CFI_VAL_EXPRESSION, /* the result itself */
};

struct cfi_rule {
    int64_t value : 56;
    uint64_t kind : 8; /* enum cfi_kind */
};

struct cfi_row {
    bool cfa_is_expression;
    uint16_t cfa_register;            /* DWARF number */
    int64_t cfa_offset;               /* or the address of the expression block */
    struct cfi_rule rules[ARCH_ROWS]; /* by arch_row() */
};

_Static_assert(sizeof(struct cfi_rule) == 8,
               "a row must stay small: eight of them lie on a handler's stack");

enum cfi_found { CFI_FOUND, CFI_NOT_COVERED, CFI_MALFORMED };

/* scratch: used when source->copied; must live as long as the fde and its rows. */
enum cfi_found cfi_find_fde(const struct cfi_source *source, uintptr_t pc,
                            struct cfi_scratch *scratch, struct cfi_fde *fde);

/* The row in force at pc, which lies in the fde. false: malformed. */
bool cfi_run(const struct cfi_fde *fde, uintptr_t pc, struct cfi_row *row);

/* One CIE or FDE by itself, for tests: parses the FDE at `address`. */
enum cfi_found cfi_parse_fde(const struct cfi_source *source, uintptr_t address,
                             struct cfi_scratch *scratch, struct cfi_fde *fde);

#endif
