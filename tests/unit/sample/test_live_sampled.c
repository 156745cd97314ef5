/* The table of live blocks with one entry a page: sampled mode. */
#include "ledger/memory.h"
#include "sample/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

_Atomic(bool) memory_no_syscalls; /* ledger/memory.c isn't linked */

#define AT(address) ((void *)(uintptr_t)(address))

static void an_entry_knows_its_block(void **state)
{
    live_start(false, 1 << 20);
    assert_int_equal(live_insert(AT(0x7f0000001000), 12), 0);
    assert_int_equal(live_remove(AT(0x7f0000001010)), 0); /* same page, another block */
    assert_int_equal(live_insert(AT(0x7f0000001020), 13), LIVE_FULL);
    assert_int_equal(live_remove(AT(0x7f0000001000)), 12);
    assert_int_equal(live_insert(AT(0x7f0000001020), 13), 0);
    assert_int_equal(live_remove(AT(0x7f0000001020)), 13);
}

static void a_large_heap_takes_little(void **state)
{
    live_start(false, 1 << 20);
    for (uintptr_t n = 0; n < 1000; n++) /* 1 GiB of heap within 1 MiB of table */
        assert_int_equal(live_insert(AT(0x500000000000 + n * (1 << 20)), 7), 0);
    for (uintptr_t n = 0; n < 1000; n++)
        assert_int_equal(live_remove(AT(0x500000000000 + n * (1 << 20))), 7);
}

static void a_site_number_too_large_is_not_followed(void **state)
{
    assert_int_equal(live_insert(AT(0x7d0000000000), 1u << 23), LIVE_FULL);
    assert_int_equal(live_remove(AT(0x7d0000000000)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_knows_its_block),
        cmocka_unit_test(a_large_heap_takes_little),
        cmocka_unit_test(a_site_number_too_large_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
