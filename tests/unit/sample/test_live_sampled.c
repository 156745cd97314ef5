/* Sampled mode's table of live blocks. */
#include "kit/sys.h"
#include "ledger/memory.h"
#include "sample/heap/live.h"
#include "sample/heap/live_sampled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define AT(address) ((void *)(uintptr_t)(address))

static void nothing_is_mapped_under_a_filter(void **state)
{
    live_cap = UINT64_C(1) << 30;
    sys_calls_forbidden = true;
    assert_int_equal(live_sampled_insert(AT(0x7e0000000000), 1), LIVE_FULL);
    sys_calls_forbidden = false;
    assert_int_equal(live_sampled_insert(AT(0x7e0000000000), 1), 0);
    assert_int_equal(live_sampled_remove(AT(0x7e0000000000)), 1);
}

static void neighbours_are_kept_apart(void **state)
{
    assert_int_equal(live_sampled_insert(AT(0x7f0000001000), 12), 0);
    assert_false(live_sampled_has(AT(0x7f0000001010)));
    assert_int_equal(live_sampled_remove(AT(0x7f0000001010)), 0);
    assert_int_equal(live_sampled_insert(AT(0x7f0000001010), UINT32_MAX - 1), 0);
    assert_true(live_sampled_has(AT(0x7f0000001000)));
    assert_int_equal(live_sampled_remove(AT(0x7f0000001000)), 12);
    assert_false(live_sampled_has(AT(0x7f0000001000)));
    assert_int_equal(live_sampled_remove(AT(0x7f0000001010)), UINT32_MAX - 1);
}

static void a_block_not_freed_in_sight_is_given_back(void **state)
{
    assert_int_equal(live_sampled_insert(AT(0x555500001230), 5), 0);
    assert_int_equal(live_sampled_insert(AT(0x555500001230), 6), 5);
    assert_int_equal(live_sampled_remove(AT(0x555500001230)), 6);
    assert_int_equal(live_sampled_remove(AT(0x555500001230)), 0);
}

/* 200,000 blocks, what 100 GiB of heap have at the default rate, at regular distances. */
static void a_large_heap_fits(void **state)
{
    static const uintptr_t strides[] = {16, 320, 4096, 1 << 16, 1 << 20, (1 << 26) + 48};
    for (size_t s = 0; s < sizeof strides / sizeof *strides; s++) {
        for (uintptr_t n = 1; n <= 200000; n++)
            assert_int_equal(live_sampled_insert(AT(0x500000000000 + n * strides[s]), (uint32_t)n),
                             0);
        for (uintptr_t n = 1; n <= 200000; n++)
            assert_int_equal(live_sampled_remove(AT(0x500000000000 + n * strides[s])), n);
    }
}

static void a_child_starts_empty(void **state)
{
    assert_int_equal(live_sampled_insert(AT(0x7e0000000000), 77), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(live_sampled_remove(AT(0x7e0000000000)) == 0 &&
                      live_sampled_insert(AT(0x7e0000000000), 3) == 0 &&
                      live_sampled_remove(AT(0x7e0000000000)) == 3
                  ? 0
                  : 1);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(live_sampled_remove(AT(0x7e0000000000)), 77);
}

static void the_cap_holds(void **state)
{
    live_sampled_forget();
    live_cap = UINT64_C(1) << 20;
    unsigned entered = 0;
    while (live_sampled_insert(AT(0x600000000000 + (uintptr_t)entered * 4096), 1) == 0)
        entered++;
    assert_in_range(entered, 2000, 65536); /* of 16 bytes each in 1 MiB */
    for (unsigned n = 0; n < entered; n++)
        assert_int_equal(live_sampled_remove(AT(0x600000000000 + (uintptr_t)n * 4096)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_mapped_under_a_filter),
        cmocka_unit_test(neighbours_are_kept_apart),
        cmocka_unit_test(a_block_not_freed_in_sight_is_given_back),
        cmocka_unit_test(a_large_heap_fits),
        cmocka_unit_test(a_child_starts_empty),
        cmocka_unit_test(the_cap_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
