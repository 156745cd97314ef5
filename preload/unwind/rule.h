/*
 * How to get from one PC's frame to its caller's, in 64 bits, so that a cache
 * entry is two words and a warm frame one probe. The module the PC lies in
 * travels along: walking and naming a frame are one look-up.
 *
 *   63..46  CFA offset        signed, words, 18 bits: frames up to 1 MiB. Shifting the
 *                             rule right by 43 gives bytes: bits 45..43 are zero
 *   42..30  frame pointer's   signed, words from the CFA, 13 bits
 *   29..17  return address's  signed, words from the CFA, 13 bits
 *   16..5   module index
 *    4      RULE_PLAIN        the common case: the walker's inner loop handles it
 *    3      RULE_TRANSIENT    the module may be unloaded: ask module_is_current
 *   2..0    plain: RULE_BASE_FP, RULE_FP_SAVED; otherwise enum rule_special
 *
 * 0 is no rule at all. What doesn't fit (other base registers, most
 * expressions) is RULE_TABLE: the tables are read again at each visit, with the
 * full register set.
 */
#ifndef LIBPROF_UNWIND_RULE_H
#define LIBPROF_UNWIND_RULE_H

#include "unwind/cfi.h"
#include "unwind/module.h"

#include <stdbool.h>
#include <stdint.h>

#define RULE_NONE UINT64_C(0)
#define RULE_PLAIN 16u
#define RULE_TRANSIENT 8u
#define RULE_BASE_FP 1u  /* CFA = frame pointer + offset; otherwise stack pointer + offset */
#define RULE_FP_SAVED 2u /* the caller's frame pointer is in memory; otherwise unchanged */

enum rule_special {
    RULE_UNKNOWN = 0, /* only as RULE_NONE */
    RULE_END,         /* the outermost frame */
    RULE_DEREF, /* a realigned frame: CFA = word at frame pointer + CFA offset (words); the caller's
                   frame pointer is the word at frame pointer + its offset */
    RULE_LEAF,  /* the return address is in the link register; CFA = stack pointer + offset */
    RULE_NO_CFI, /* no table covers the PC: by frame pointer, with care */
    RULE_TABLE,  /* read the tables */
};

#define RULE_MODULE_BITS 12
_Static_assert(MODULE_MAX <= 1 << RULE_MODULE_BITS, "a rule holds any module index");

#define RULE_MODULE_SHIFT 5

static inline unsigned rule_module(uint64_t rule)
{
    return (unsigned)(rule >> RULE_MODULE_SHIFT) & (MODULE_MAX - 1);
}

/* Offsets in bytes. */
static inline intptr_t rule_cfa_offset(uint64_t rule)
{
    return (int64_t)rule >> 43;
}

static inline intptr_t rule_fp_offset(uint64_t rule)
{
    return ((int64_t)(rule << 21) >> 51) * 8;
}

static inline intptr_t rule_ra_offset(uint64_t rule)
{
#if defined(__x86_64__)
    (void)rule;
    return -8; /* the call instruction's push; anything else isn't plain */
#else
    return ((int64_t)(rule << 34) >> 51) * 8;
#endif
}

static inline enum rule_special rule_special(uint64_t rule)
{
    return (enum rule_special)(rule & 7);
}

/* low: the low five bits. Offsets in bytes; false when they don't fit. */
static inline bool rule_make(unsigned low, unsigned module, int64_t cfa, int64_t fp, int64_t ra,
                             uint64_t *rule)
{
    if ((cfa | fp | ra) % 8 != 0 || cfa < -(1 << 20) || cfa >= 1 << 20 || fp < -(1 << 15) ||
        fp >= 1 << 15 || ra < -(1 << 15) || ra >= 1 << 15)
        return false;
    *rule = (uint64_t)cfa << 43 | ((uint64_t)(fp / 8) & 0x1fff) << 30 |
            ((uint64_t)(ra / 8) & 0x1fff) << 17 | (uint64_t)module << RULE_MODULE_SHIFT | low;
    return true;
}

static inline uint64_t rule_make_special(enum rule_special special, unsigned module)
{
    return (uint64_t)module << RULE_MODULE_SHIFT | (uint64_t)special;
}

/* The plain rule of code compiled with frame pointers. */
static inline uint64_t rule_frame_pointer(unsigned module)
{
    uint64_t rule = RULE_NONE;
    rule_make(RULE_PLAIN | RULE_BASE_FP | RULE_FP_SAVED, module, 16, -16, -8, &rule);
    return rule;
}

/* The row in force at pc, packed; RULE_TABLE where it doesn't fit. AS-safe. */
uint64_t rule_pack(const struct cfi_fde *fde, const struct cfi_row *row, uintptr_t pc,
                   unsigned module);

#endif
