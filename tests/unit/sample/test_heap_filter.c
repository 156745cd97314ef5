/* The filter that every free asks: no followed block is missed, few others are let through. */
#include "kit/sys.h"
#include "ledger/memory.h"
#include "runtime/boot.h"
#include "sample/heap/heap_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define AT(address) ((void *)(uintptr_t)(address))
#define BASE UINT64_C(0x7f1234000000)

static void before_the_start_every_block_is_looked_up(void **state)
{
    assert_true(heap_may_track(NULL));
    assert_true(heap_may_track(AT(BASE + 16)));
}

static void modes(void **state)
{
    heap_filter_start(false, false, 0);
    assert_false(heap_may_track(AT(BASE + 16)));
    heap_filter_start(true, true, 1);
    assert_true(heap_may_track(AT(BASE + 16)));
    heap_filter_start(true, false, 524288);
    assert_false(heap_may_track(AT(BASE + 16)));
}

static void nothing_is_mapped_under_a_filter(void **state)
{
    sys_calls_forbidden = true;
    assert_false(heap_filter_add(AT(BASE)));
    sys_calls_forbidden = false;
}

static void a_followed_block_is_never_missed(void **state)
{
    for (uintptr_t n = 0; n < 100000; n++)
        assert_true(heap_filter_add(AT(BASE + n * 16)));
    for (uintptr_t n = 0; n < 100000; n++) {
        assert_true(heap_may_track(AT(BASE + n * 16)));
        heap_filter_remove(AT(BASE + n * 16));
    }
    for (uintptr_t n = 0; n < 100000; n++)
        assert_false(heap_may_track(AT(BASE + n * 16)));
}

/* More blocks share a count than it can hold: it stays, and none is missed. */
static void a_full_count_stays(void **state)
{
    void *block = AT(BASE + (UINT64_C(1) << 40));
    for (int n = 0; n < 1000; n++)
        assert_true(heap_filter_add(block));
    for (int n = 0; n < 1000; n++) {
        assert_true(heap_may_track(block));
        heap_filter_remove(block);
    }
    assert_true(heap_may_track(block));
}

/* Of each stride's blocks one in 1000 is followed: 2,000, what 1 GiB of heap has by default. */
static void few_others_are_let_through(void **state)
{
    static const uintptr_t strides[] = {16, 48, 320, 4096, 1 << 14, 1 << 20, (1 << 26) + 16};
    for (size_t s = 0; s < sizeof strides / sizeof *strides; s++) {
        unsigned wrong = 0;
        uintptr_t at = BASE - (UINT64_C(1) << 43) * (s + 1);
        for (uintptr_t n = 0; n < 2000000; n += 1000)
            assert_true(heap_filter_add(AT(at + n * strides[s])));
        for (uintptr_t n = 0; n < 2000000; n++)
            wrong += n % 1000 != 0 && heap_may_track(AT(at + n * strides[s]));
        printf("stride %lu: %.2f %% let through\n", (unsigned long)strides[s], wrong / 2e4);
        /* of 65536 counts, the fewest there may be; neighbours within 829 bytes on top */
        assert_in_range(wrong, 0, 2000000 * 2000ul / 65536 * 2 + 2000 * (1700 / strides[s]));
        for (uintptr_t n = 0; n < 2000000; n += 1000)
            heap_filter_remove(AT(at + n * strides[s]));
    }
}

static void a_child_starts_empty(void **state)
{
    assert_true(heap_filter_add(AT(BASE)));
    pid_t child = fork();
    if (child == 0) {
        heap_filter_start(true, false, 524288);
        _exit(!heap_may_track(AT(BASE)) && heap_filter_add(AT(BASE)) && heap_may_track(AT(BASE))
                  ? 0
                  : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_true(heap_may_track(AT(BASE)));
    heap_filter_remove(AT(BASE));
}

/* Whenever it is handed out: it is never the real allocator's. */
static void boot_memory_is_never_missed(void **state)
{
    void *early = boot_alloc(10);
    heap_filter_keep_boot();
    for (int mode = 0; mode < 3; mode++) {
        heap_filter_start(mode > 0, mode > 1, 524288);
        assert_true(heap_may_track(early));
        void *late = boot_alloc(10);
        heap_filter_keep_boot();
        assert_true(heap_may_track(late));
    }
    heap_filter_start(true, false, 524288);
    assert_true(heap_filter_add(AT(BASE)));
    assert_true(heap_may_track(early));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_start_every_block_is_looked_up),
        cmocka_unit_test(modes),
        cmocka_unit_test(nothing_is_mapped_under_a_filter),
        cmocka_unit_test(a_followed_block_is_never_missed),
        cmocka_unit_test(few_others_are_let_through),
        cmocka_unit_test(a_full_count_stays),
        cmocka_unit_test(a_child_starts_empty),
        cmocka_unit_test(boot_memory_is_never_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
