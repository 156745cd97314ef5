/* The weight of a sampled allocation against libm and against Go's own numbers. */
#include "wire/reader.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void agrees_with_libm(void **state)
{
    for (double size = 1; size < 1e12; size *= 1.37) {
        uint64_t bytes = (uint64_t)size;
        double expected = -1 / expm1(-(double)bytes / 524288.0);
        assert_true(fabs(ledger_heap_weight(bytes, 524288) / expected - 1) < 1e-14);
    }
}

/* Objects and bytes sampled -> what Go 1.19 writes for them at rate 524288. */
static void scales_as_go(void **state)
{
    static const struct {
        uint64_t count, bytes, scaled_count, scaled_bytes;
    } vectors[] = {
        {19, 77824, 2441, 10000434}, {35, 35840, 17937, 18368005}, {1, 24, 21845, 524300},
        {1, 2688, 195, 525633},      {2, 2000, 1049, 1049576},     {9, 9000, 4723, 4723093},
        {1, 524288, 1, 829411},      {1, 1048576, 1, 1212696},
    };
    for (unsigned i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        double weight = ledger_heap_weight(vectors[i].bytes / vectors[i].count, 524288);
        assert_int_equal((uint64_t)((double)vectors[i].count * weight), vectors[i].scaled_count);
        assert_int_equal((uint64_t)((double)vectors[i].bytes * weight), vectors[i].scaled_bytes);
    }
}

static void exact_is_one(void **state)
{
    assert_true(ledger_heap_weight(1, 1) == 1);
    assert_true(ledger_heap_weight(100, 0) == 1);
    assert_true(ledger_heap_weight(0, 524288) == 1);
    assert_true(ledger_heap_weight(UINT64_MAX, 524288) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_libm),
        cmocka_unit_test(scales_as_go),
        cmocka_unit_test(exact_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
