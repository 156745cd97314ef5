/* Exact mode's table of live blocks: address -> site. */
#include "kit/sys.h"
#include "ledger/memory.h"
#include "sample/heap/live.h"

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
    assert_int_equal(live_insert(AT(0x7e0000000000), 1), LIVE_FULL);
    sys_calls_forbidden = false;
    assert_int_equal(live_insert(AT(0x7e0000000000), 1), 0);
    assert_int_equal(live_remove(AT(0x7e0000000000)), 1);
}

static void exact_keeps_neighbours_apart(void **state)
{
    live_cap = UINT64_C(1) << 30;
    for (uintptr_t n = 0; n < 10000; n++)
        assert_int_equal(live_insert(AT(0x7f0000000000 + n * 8), (uint32_t)n + 1), 0);
    for (uintptr_t n = 0; n < 10000; n++)
        assert_int_equal(live_remove(AT(0x7f0000000000 + n * 8)), n + 1);
    for (uintptr_t n = 0; n < 10000; n++)
        assert_int_equal(live_remove(AT(0x7f0000000000 + n * 8)), 0);
}

static void a_block_not_freed_in_sight_is_given_back(void **state)
{
    live_cap = UINT64_C(1) << 30;
    assert_int_equal(live_insert(AT(0x555500001230), 5), 0);
    assert_int_equal(live_insert(AT(0x555500001230), 6), 5);
    assert_int_equal(live_remove(AT(0x555500001230)), 6);
}

static void regions_far_apart(void **state)
{
    live_cap = UINT64_C(8) << 30;
    for (uintptr_t n = 1; n < 1000; n++)
        assert_int_equal(live_insert(AT(n * 0x12345670000 & ~(uintptr_t)7), (uint32_t)n), 0);
    for (uintptr_t n = 1; n < 1000; n++)
        assert_int_equal(live_remove(AT(n * 0x12345670000 & ~(uintptr_t)7)), n);
}

static void the_cap_holds(void **state)
{
    live_cap = 1;
    assert_int_equal(live_insert(AT(0x600000000000), 1), LIVE_FULL);
    assert_int_equal(live_remove(AT(0x600000000000)), 0);
}

static void a_child_starts_empty(void **state)
{
    live_cap = UINT64_C(16) << 30;
    assert_int_equal(live_insert(AT(0x7e0000000000), 77), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(live_remove(AT(0x7e0000000000)) == 0 && live_insert(AT(0x7e0000000000), 3) == 0 &&
                      live_remove(AT(0x7e0000000000)) == 3
                  ? 0
                  : 1);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(live_remove(AT(0x7e0000000000)), 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_mapped_under_a_filter),
        cmocka_unit_test(exact_keeps_neighbours_apart),
        cmocka_unit_test(a_block_not_freed_in_sight_is_given_back),
        cmocka_unit_test(regions_far_apart),
        cmocka_unit_test(the_cap_holds),
        cmocka_unit_test(a_child_starts_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
