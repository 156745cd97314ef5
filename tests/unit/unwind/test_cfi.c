/* The table reader, the instruction interpreter, expressions and packed rules, on hand-made bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tables.h"
#include "unwind/cache.h"
#include "unwind/rule.h"

/* A register that every machine's row keeps, and that isn't special. */
#if defined(__x86_64__)
#define SOME_REG 3 /* rbx */
#else
#define SOME_REG 20
#endif

static struct tables tables;
static struct cfi_scratch scratch;
static struct cfi_fde fde;
static struct cfi_row row;

#define PROGRAM(...) ((const uint8_t[]){__VA_ARGS__})
#define MAKE(...) tables_make(&tables, "zR", PROGRAM(__VA_ARGS__), sizeof(PROGRAM(__VA_ARGS__)))

static bool run_at(uintptr_t offset)
{
    uintptr_t pc = tables_pc(&tables, offset);
    return cfi_find_fde(&tables.source, pc, &scratch, &fde) == CFI_FOUND && cfi_run(&fde, pc, &row);
}

static struct cfi_rule rule_of(unsigned reg)
{
    return row.rules[arch_row(reg)];
}

static void assert_cfa(uintptr_t pc_offset, unsigned reg, int64_t offset)
{
    assert_true(run_at(pc_offset));
    assert_false(row.cfa_is_expression);
    assert_int_equal(row.cfa_register, reg);
    assert_int_equal(row.cfa_offset, offset);
}

static void test_bounds_of_the_function(void **state)
{
    MAKE(0x00);
    assert_true(run_at(0));
    assert_true(run_at(TABLES_SIZE - 1));
    assert_false(run_at((uintptr_t)-1));
    assert_false(run_at(TABLES_SIZE));
    assert_int_equal(fde.start, tables_pc(&tables, 0));
    assert_false(fde.signal_frame);
}

static void test_prologue_and_epilogue(void **state)
{
    /* push fp; mov sp,fp; ...; pop fp; ret; more code under the old state */
    MAKE(0x41, 0x0e, 16, 0x80 | (ARCH_FP & 0x3f), 2, /* +1: def_cfa_offset 16; offset fp */
         0x43, 0x0d, ARCH_FP,                        /* +4: def_cfa_register fp */
         0x02, 100, 0x0a,                            /* +104: remember */
         0x0c, ARCH_SP, 8, 0xc0 | ARCH_FP,           /* def_cfa sp+8; restore fp */
         0x41, 0x0b);                                /* +105: restore_state */
    assert_cfa(0, ARCH_SP, 8);
    assert_int_equal(rule_of(ARCH_FP).kind, CFI_SAME);
    assert_int_equal(rule_of(ARCH_RA).kind, CFI_OFFSET);
    assert_int_equal(rule_of(ARCH_RA).value, -8);
    assert_cfa(1, ARCH_SP, 16);
    assert_int_equal(rule_of(ARCH_FP).value, -16);
    assert_cfa(3, ARCH_SP, 16);
    assert_cfa(4, ARCH_FP, 16);
    assert_cfa(103, ARCH_FP, 16);
    assert_cfa(104, ARCH_SP, 8);
    assert_int_equal(rule_of(ARCH_FP).kind, CFI_SAME);
    assert_cfa(105, ARCH_FP, 16);
    assert_int_equal(rule_of(ARCH_FP).kind, CFI_OFFSET);
    assert_cfa(TABLES_SIZE - 1, ARCH_FP, 16);
}

static void test_every_rule(void **state)
{
    MAKE(0x05, SOME_REG, 3,                   /* offset_extended */
         0x11, ARCH_FP, 0x7d,                 /* offset_extended_sf -3 */
         0x41, 0x08, SOME_REG,                /* same_value */
         0x14, ARCH_FP, 4,                    /* val_offset */
         0x41, 0x09, SOME_REG, ARCH_FP,       /* register */
         0x15, ARCH_FP, 0x7f,                 /* val_offset_sf -1 */
         0x41, 0x10, SOME_REG, 2, 0x11, 0x70, /* expression: consts -16 */
         0x16, ARCH_FP, 1, 0x31,              /* val_expression lit1 */
         0x41, 0x2f, SOME_REG, 2,             /* GNU_negative_offset_extended */
         0x06, ARCH_FP,                       /* restore_extended */
         0x2e, 0x20,                          /* GNU_args_size */
         0x41, 0x07, ARCH_RA,                 /* undefined */
         0x12, ARCH_SP, 0x7e,                 /* def_cfa_sf -2 */
         0x41, 0x13, 0x7c);                   /* def_cfa_offset_sf -4 */
    assert_true(run_at(0));
    assert_int_equal(rule_of(SOME_REG).kind, CFI_OFFSET);
    assert_int_equal(rule_of(SOME_REG).value, -24);
    assert_int_equal(rule_of(ARCH_FP).value, 24);
    assert_true(run_at(1));
    assert_int_equal(rule_of(SOME_REG).kind, CFI_SAME);
    assert_int_equal(rule_of(ARCH_FP).kind, CFI_VAL_OFFSET);
    assert_int_equal(rule_of(ARCH_FP).value, -32);
    assert_true(run_at(2));
    assert_int_equal(rule_of(SOME_REG).kind, CFI_REGISTER);
    assert_int_equal(rule_of(SOME_REG).value, ARCH_FP);
    assert_int_equal(rule_of(ARCH_FP).value, 8);
    assert_true(run_at(3));
    assert_int_equal(rule_of(SOME_REG).kind, CFI_EXPRESSION);
    assert_int_equal(rule_of(ARCH_FP).kind, CFI_VAL_EXPRESSION);
    assert_true(run_at(4));
    assert_int_equal(rule_of(SOME_REG).value, 16);
    assert_int_equal(rule_of(ARCH_FP).kind, CFI_SAME);
    assert_cfa(5, ARCH_SP, 16);
    assert_int_equal(rule_of(ARCH_RA).kind, CFI_UNDEFINED);
    assert_cfa(6, ARCH_SP, 32);
}

static void test_wide_advances(void **state)
{
    MAKE(0x03, 0x00, 0x01, 0x0e, 16,              /* advance_loc2 256 */
         0x04, 0x00, 0x02, 0x00, 0x00, 0x0e, 24); /* advance_loc4 512 */
    assert_cfa(255, ARCH_SP, 8);
    assert_cfa(256, ARCH_SP, 16);
    assert_cfa(767, ARCH_SP, 16);
    assert_cfa(768, ARCH_SP, 24);
}

static void test_malformed(void **state)
{
    MAKE(0x0b); /* restore without remember */
    assert_false(run_at(0));
    MAKE(0x3e); /* unknown instruction */
    assert_false(run_at(0));
    MAKE(0x0d, 0xff, 0x7f); /* no such register */
    assert_false(run_at(0));
    MAKE(0x0f, 0x7f); /* an expression longer than the record */
    assert_false(run_at(0));
    MAKE(0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a); /* remembers without end */
    assert_false(run_at(0));
    MAKE(0x0e, 16);
    tables.bytes[0] = 2; /* version of the header */
    assert_false(run_at(0));
    MAKE(0x0e, 16);
    tables.source.high -= 12; /* cut off inside the FDE */
    assert_false(run_at(0));
}

static void test_signal_frame(void **state)
{
    const uint8_t program[] = {0x00};
    tables_make(&tables, "zRS", program, sizeof program);
    assert_true(run_at(0));
    assert_true(fde.signal_frame);
    assert_int_equal(rule_pack(&fde, &row, tables_pc(&tables, 0), 7) & (RULE_PLAIN | 7),
                     RULE_TABLE);
}

static void test_without_a_table(void **state)
{
    MAKE(0x0e, 32);
    tables.bytes[2] = 0xff; /* no count */
    tables.bytes[3] = 0xff; /* no table */
    assert_cfa(0, ARCH_SP, 32);
    assert_false(run_at(TABLES_SIZE));
}

static void test_copied_source(void **state)
{
    MAKE(0x0e, 48);
    tables.source.copied = true;
    assert_cfa(4, ARCH_SP, 48);
    assert_true(fde.program >= scratch.fde && fde.program < scratch.fde + sizeof scratch.fde);
}

static uint64_t pack_at(uintptr_t offset)
{
    assert_true(run_at(offset));
    return rule_pack(&fde, &row, tables_pc(&tables, offset), 4095);
}

static void test_packing(void **state)
{
    uint64_t rule;
    MAKE(0x0e, 0x80, 0x10, 0x80 | (ARCH_FP & 0x3f), 2);
    rule = pack_at(0);
    assert_int_equal(rule & 31, RULE_PLAIN | RULE_FP_SAVED);
    assert_int_equal(rule_module(rule), 4095);
    assert_int_equal(rule_cfa_offset(rule), 2048);
    assert_int_equal(rule_fp_offset(rule), -16);
    assert_int_equal(rule_ra_offset(rule), -8);
    MAKE(0x0d, ARCH_FP);
    assert_int_equal(pack_at(0) & 31, RULE_PLAIN | RULE_BASE_FP);
    MAKE(0x07, ARCH_RA);
    assert_int_equal(pack_at(0) & 31, RULE_END);
    MAKE(0x0d, SOME_REG);
    assert_int_equal(pack_at(0) & 31, RULE_TABLE);
    MAKE(0x0e, 0x80, 0x80, 0x80, 0x08); /* 16 MiB */
    assert_int_equal(pack_at(0) & 31, RULE_TABLE);
    MAKE(0x0e, 12); /* not a multiple of a word */
    assert_int_equal(pack_at(0) & 31, RULE_TABLE);
    /* CFA = word at fp - 8, fp saved at fp: a realigned frame */
    MAKE(0x0f, 3, 0x70 + ARCH_FP, 0x78, 0x06, 0x10, ARCH_FP, 2, 0x70 + ARCH_FP, 0x00);
    rule = pack_at(0);
    assert_int_equal(rule & 31, RULE_DEREF);
    assert_int_equal(rule_cfa_offset(rule), -8);
    assert_int_equal(rule_fp_offset(rule), 0);
}

#if defined(__x86_64__)
/* A PLT entry: CFA = sp + 8, or + 16 from the 11th byte of the entry on. */
static void test_packing_plt(void **state)
{
    MAKE(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22);
    for (uintptr_t offset = 0; offset < 32; offset++) {
        uint64_t rule = pack_at(offset);
        uintptr_t pc = tables_pc(&tables, offset);
        assert_int_equal(rule & 31, RULE_PLAIN);
        assert_int_equal(rule_cfa_offset(rule), (pc & 15) >= 11 ? 16 : 8);
    }
}
#endif

static bool evaluate(const uint8_t *code, size_t size, uintptr_t *result)
{
    static struct arch_regs regs;
    struct memory memory;
    uintptr_t cfa = 1000;
    static uintptr_t word = 77;
    regs.r[SOME_REG] = (uintptr_t)&word;
    memory_init(&memory, 0, 0, (uintptr_t)&memory, true);
    return expr_eval((struct expr){code, code + size}, &regs, UINT64_MAX, &memory, &cfa, result);
}

#define EXPRESSION(...) PROGRAM(__VA_ARGS__), sizeof(PROGRAM(__VA_ARGS__))

static void test_expressions(void **state)
{
    static const struct {
        uint8_t code[16];
        size_t size;
        int64_t result;
    } cases[] = {
        {{0x23, 10}, 2, 1010},                  /* plus_uconst, on the CFA */
        {{0x35, 0x33, 0x1c}, 3, 2},             /* 5 - 3 */
        {{0x35, 0x33, 0x16, 0x1c}, 4, -2},      /* swap */
        {{0x31, 0x32, 0x33, 0x17, 0x13}, 5, 1}, /* rot: 3 1 2 -> drop -> 1 */
        {{0x09, 0xff, 0x1f}, 3, 1},             /* const1s -1; neg */
        {{0x09, 0xfc, 0x31, 0x26}, 4, -2},      /* -4 shra 1 */
        {{0x37, 0x33, 0x1d}, 3, 1},             /* 7 mod 3 */
        {{0x3f, 0x34, 0x1b}, 3, 3},             /* 15 / 4 */
        {{0x31, 0x28, 1, 0, 0x32, 0x33}, 6, 3}, /* bra over lit2 */
        {{0x30, 0x28, 1, 0, 0x32, 0x96}, 6, 2}, /* not taken */
        {{0x70 + SOME_REG, 0, 0x06}, 3, 77},    /* deref */
        {{0x92, SOME_REG, 0, 0x94, 1}, 5, 77},  /* bregx, deref_size 1 */
        {{0x0a, 0x34, 0x12, 0x12, 0x27}, 5, 0}, /* const2u; dup; xor */
        {{0x31, 0x32, 0x15, 1}, 4, 1},          /* pick */
        {{0x11, 0x7f, 0x30, 0x2d}, 4, 1},       /* -1 < 0 */
    };
    uintptr_t result;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(evaluate(cases[i].code, cases[i].size, &result));
        assert_int_equal((int64_t)result, cases[i].result);
    }
    assert_false(evaluate(EXPRESSION(0x13, 0x13), &result));             /* underflow */
    assert_false(evaluate(EXPRESSION(0x31, 0x30, 0x1b), &result));       /* division by zero */
    assert_false(evaluate(EXPRESSION(0x2f, 0xfd, 0xff), &result));       /* an endless loop */
    assert_false(evaluate(EXPRESSION(0x12, 0x2f, 0xfc, 0xff), &result)); /* overflow */
    assert_false(evaluate(EXPRESSION(0x08), &result));                   /* cut off */
    assert_false(evaluate(EXPRESSION(0x31, 0x06), &result));             /* memory at 1 */
    assert_false(evaluate(EXPRESSION(0xe0), &result));                   /* unknown */
}

static void test_cache(void **state)
{
    uintptr_t a = 0x7f0000001234, b = a + CACHE_SETS * CACHE_GRAIN,
              c = b + CACHE_SETS * CACHE_GRAIN;
    assert_int_equal(cache_find(a), 0);
    cache_enter(a, 0xaaaa0), cache_enter(b, 0xbbbb0);
    assert_int_equal(cache_find(a), 0xaaaa0);
    assert_int_equal(cache_find(b), 0xbbbb0);
    cache_enter(c, 0xcccc0); /* two ways: the oldest goes */
    assert_int_equal(cache_find(a), 0);
    assert_int_equal(cache_find(b), 0xbbbb0);
    assert_int_equal(cache_find(c), 0xcccc0);
    cache_enter(c, 0xdddd0);
    assert_int_equal(cache_find(c), 0xdddd0);
    assert_int_equal(cache_find(b), 0xbbbb0);
    /* A torn entry: one writer's rule, another's tag. */
    cache_set_of(c)->way[0].rule = 0xeeee0;
    assert_int_equal(cache_find(c), 0);
}

static void test_cache_grows(void **state)
{
    const size_t alias = (size_t)CACHE_SETS * CACHE_GRAIN;
    uintptr_t base = 0x7f0010000000, kept = base + (size_t)CACHE_SETS_AT_FIRST * CACHE_GRAIN;
    memset(cache_sets, 0, sizeof cache_sets);
    atomic_store(&cache_offset_mask, CACHE_OFFSET_MASK(CACHE_SETS_AT_FIRST));
    cache_enter(kept, 0xaaaa0);
    assert_ptr_equal(cache_set_of(kept), cache_set_of(base));
    for (size_t set = 1; set < CACHE_SETS_AT_FIRST; set++)
        for (size_t way = 0; way < CACHE_WAYS; way++)
            cache_enter(base + set * CACHE_GRAIN + way * alias, 0xbbbb0);
    assert_int_equal(cache_offset_mask, CACHE_OFFSET_MASK(CACHE_SETS_AT_FIRST)); /* it's full */
    for (size_t set = 1; set < CACHE_SETS_AT_FIRST / 2; set++)
        cache_enter(base + set * CACHE_GRAIN + CACHE_WAYS * alias, 0xcccc0);
    assert_int_equal(cache_offset_mask, CACHE_OFFSET_MASK(2 * CACHE_SETS_AT_FIRST));
    assert_int_equal(cache_find(kept), 0);
    assert_int_equal(cache_find_earlier(kept), 0xaaaa0);
    assert_int_equal(cache_find_earlier(kept + alias), 0);
    cache_enter(kept, 0xdddd0);
    assert_int_equal(cache_find(kept), 0xdddd0);
    /* It ends somewhere. */
    for (size_t i = 0; i < 3 * CACHE_WAYS * CACHE_SETS; i++)
        cache_enter(base + i * CACHE_GRAIN, 0xeeee0);
    assert_int_equal(cache_offset_mask, CACHE_OFFSET_MASK(CACHE_SETS));
    assert_int_equal(cache_find(base + (3 * CACHE_WAYS * CACHE_SETS - 1) * CACHE_GRAIN), 0xeeee0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_of_the_function),
        cmocka_unit_test(test_prologue_and_epilogue),
        cmocka_unit_test(test_every_rule),
        cmocka_unit_test(test_wide_advances),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_signal_frame),
        cmocka_unit_test(test_without_a_table),
        cmocka_unit_test(test_copied_source),
        cmocka_unit_test(test_packing),
#if defined(__x86_64__)
        cmocka_unit_test(test_packing_plt),
#endif
        cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
