/* Walks with a memo against walks without: the same frames, whatever happened to the stack. */
#include "own_stack.h"
#include "unwind/module.h"
#include "unwind/unwind.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX 200

static struct unwind_stack plain, remembering;
static uint64_t seed;
static unsigned walks, limit, deepest;

static unsigned next_random(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

__attribute__((noinline)) static void compare(unsigned max)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    uint64_t expected[MAX], found[MAX], expected_hash, found_hash;
    enum unwind_end expected_end, found_end;
    unsigned count = unwind_from(&origin, &plain, expected, max, &expected_end, &expected_hash);
    unsigned again = unwind_from(&origin, &remembering, found, max, &found_end, &found_hash);
    assert_int_equal(count, again);
    assert_int_equal(expected_end, found_end);
    assert_memory_equal(expected, found, count * sizeof *found);
    assert_true(expected_hash == found_hash);
    walks++;
    deepest = count > deepest ? count : deepest;
}

/* Recursion from different places, with frames of different sizes, some of them with a
 * frame pointer. */
__attribute__((noinline)) static void wander(unsigned depth)
{
    for (unsigned n = next_random(3) + 1; n > 0 && walks < limit; n--) {
        if (depth == 0 || next_random(4) == 0)
            compare(next_random(8) ? MAX : 1 + next_random(MAX - 1));
        if (depth == 0)
            continue;
        switch (next_random(3)) {
        case 0:
            wander(depth - 1);
            break;
        case 1: {
            volatile char *space = __builtin_alloca(16 + next_random(200));
            space[0] = 1;
            wander(depth - 1);
            break;
        }
        default:
            wander(depth - 1);
            __asm__ volatile("" ::: "memory");
        }
    }
}

static void start(void)
{
    plain = own_stack();
    remembering = plain;
    remembering.memo = unwind_memo_take();
    assert_non_null(remembering.memo);
    walks = deepest = 0;
}

static void test_random_stacks(void **state)
{
    start();
    seed = 1;
    while (walks < 20000) {
        limit = walks + 50;
        wander(1 + next_random(60));
    }
    assert_true(deepest > 50);
    unwind_memo_give(remembering.memo);
}

/* The same states of sp and pc with another caller further out. */
__attribute__((noinline)) static void inner(void)
{
    compare(MAX);
}

__attribute__((noinline)) static void middle(void)
{
    inner();
    __asm__ volatile("" ::: "memory");
}

static void test_changed_callers(void **state)
{
    start();
    for (int n = 0; n < 10; n++) {
        middle();
        __asm__ volatile("" ::: "memory");
        middle();
        __asm__ volatile("" ::: "memory");
    }
    unwind_memo_give(remembering.memo);
}

static void *elsewhere(void *unused)
{
    struct unwind_stack main_plain = plain, main_remembering = remembering;
    struct unwind_memo *memo = remembering.memo;
    start();
    unwind_memo_give(remembering.memo);
    remembering.memo = memo; /* another stack's */
    seed = 2;
    limit = 200;
    while (walks < limit)
        wander(20);
    plain = main_plain;
    remembering = main_remembering;
    return unused;
}

static void test_other_stack(void **state)
{
    start();
    compare(MAX);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    compare(MAX);
    unwind_memo_give(remembering.memo);
}

static void test_pool(void **state)
{
    struct unwind_memo *memos[100];
    unsigned count = 0;
    while (count < 100 && (memos[count] = unwind_memo_take()))
        count++;
    assert_in_range(count, 1, 99);
    unwind_memo_give(memos[3]);
    assert_ptr_equal(unwind_memo_take(), memos[3]);
    while (count > 0)
        unwind_memo_give(memos[--count]);
    unwind_memo_give(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_stacks),
        cmocka_unit_test(test_changed_callers),
        cmocka_unit_test(test_other_stack),
        cmocka_unit_test(test_pool),
    };
    unwind_init(UNWIND_CFI);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
