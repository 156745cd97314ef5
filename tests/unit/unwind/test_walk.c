/* Real stacks, frame by frame against libunwind's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reference.h"
#include "unwind/module.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MAX UNWIND_MAX_DEPTH

static unsigned compared;
static enum unwind_end last_end;
static unsigned last_count;
static uint64_t last_frames[MAX];

static void compare_context(const ucontext_t *context, const struct unwind_stack *stack)
{
    static uint64_t theirs[MAX];
    unsigned count = reference_walk(context, theirs, MAX);
    last_count = unwind_context(context, stack, last_frames, MAX, &last_end);
    compared++;
    for (unsigned i = 0; i < last_count || i < count; i++) {
        if (i < last_count && i < count && UNWIND_ADDRESS(last_frames[i]) == theirs[i])
            continue;
        reference_print("ours", last_frames, last_count);
        reference_print("libunwind", theirs, count);
        fail_msg("frame %u differs", i);
    }
}

/* The limits of this thread's stack. */
static struct unwind_stack own_stack(void)
{
    pthread_attr_t attributes;
    void *address;
    size_t size;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &address, &size);
    pthread_attr_destroy(&attributes);
    return (struct unwind_stack){(uintptr_t)address, (uintptr_t)address + size};
}

__attribute__((noinline)) static void compare_here(void)
{
    ucontext_t context;
    struct unwind_stack stack = own_stack();
    getcontext(&context);
    compare_context(&context, &stack);
    assert_int_equal(last_end, UNWIND_COMPLETE);
    compare_context(&context, NULL); /* cold, then warm; checked page by page */
    assert_int_equal(last_end, UNWIND_COMPLETE);
}

static void test_plain(void **state)
{
    compare_here();
    assert_true(last_count > 5);
    assert_true(module_get(UNWIND_MODULE(last_frames[0]))->is_main);
    const struct module *outermost = module_get(UNWIND_MODULE(last_frames[last_count - 1]));
    assert_true(outermost->is_main); /* _start */
}

__attribute__((noinline)) static int recurse(int depth)
{
    volatile char pad[64];
    pad[depth % 64] = 1;
    if (depth == 0)
        compare_here();
    return depth == 0 ? pad[0] : recurse(depth - 1) + pad[depth % 64];
}

static void test_recursion(void **state)
{
    recurse(300);
    assert_true(last_count > 300);
}

static int compare_integers(const void *a, const void *b)
{
    static int calls;
    if (calls++ % 16 == 0)
        compare_here();
    return *(const int *)a - *(const int *)b;
}

static void test_callbacks_through_libc(void **state)
{
    int numbers[] = {5, 3, 9, 1, 7, 2, 8, 0, 6, 4};
    int key = 7;
    qsort(numbers, 10, sizeof(int), compare_integers);
    assert_non_null(bsearch(&key, numbers, 10, sizeof(int), compare_integers));
}

/* A frame that GCC realigns: CFA = word at rbp - 8. */
__attribute__((noinline, force_align_arg_pointer)) static int realigned(int n)
{
    volatile int vector[16] __attribute__((aligned(64)));
    vector[n] = n;
    compare_here();
    return vector[n] + (int)((uintptr_t)vector & 63);
}

__attribute__((noinline)) static int variable(size_t size)
{
    volatile char *room = __builtin_alloca(size);
    room[size - 1] = 1;
    return realigned(3) + room[size - 1];
}

static void test_realigned_and_alloca(void **state)
{
    assert_int_equal(realigned(5), 5);
    assert_int_equal(variable(3000), 4);
    assert_int_equal(variable(100000), 4);
}

static void *in_thread(void *data)
{
    compare_here();
    return NULL;
}

static void test_thread(void **state)
{
    pthread_t thread;
    pthread_create(&thread, NULL, in_thread, NULL);
    pthread_join(thread, NULL);
    assert_true(last_count >= 3);
}

static struct unwind_stack interrupted_stack;

static void on_signal(int number, siginfo_t *info, void *context)
{
    struct unwind_stack stack = interrupted_stack;
    ucontext_t here;
    compare_context(context, &stack);
    assert_int_equal(last_end, UNWIND_COMPLETE);
    /* The handler's own stack: through the trampoline to what it interrupted. */
    getcontext(&here);
    compare_context(&here, &stack);
    assert_int_equal(last_end, UNWIND_COMPLETE);
    compare_context(&here, NULL);
    assert_int_equal(last_end, UNWIND_COMPLETE);
}

static void test_signal_on_alternate_stack(void **state)
{
    static char alternate[65536];
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    interrupted_stack = own_stack();
    assert_int_equal(sigaltstack(&stack, NULL), 0);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
}

/* unwind_here against a context taken in the same function: the callers agree. */
__attribute__((noinline)) static unsigned here(uint64_t *frames, unsigned max, enum unwind_end *end)
{
    unsigned count = unwind_here(NULL, frames, max, end);
    __asm__ volatile("" ::: "memory");
    return count;
}

static void test_here(void **state)
{
    uint64_t frames[64], few[4];
    ucontext_t context;
    enum unwind_end end;
    unsigned count = here(frames, 64, &end);
    getcontext(&context);
    compare_context(&context, NULL);
    assert_int_equal(end, UNWIND_COMPLETE);
    assert_int_equal(count, last_count + 1);
    assert_memory_equal(frames + 2, last_frames + 1, (count - 2) * sizeof frames[0]);
    assert_true(UNWIND_ADDRESS(frames[0]) - (uintptr_t)here < 200);
    assert_int_equal(here(few, 4, &end), 4);
    assert_int_equal(end, UNWIND_TRUNCATED);
    assert_memory_equal(few + 2, frames + 2, 2 * sizeof few[0]);
    assert_int_equal(here(frames, count, &end), count);
    assert_int_equal(end, UNWIND_COMPLETE);
}

static void test_errno_is_kept(void **state)
{
    uint64_t frames[64];
    enum unwind_end end;
    errno = 4711;
    here(frames, 64, &end);
    unwind_here(NULL, frames, 64, &end);
    assert_int_equal(errno, 4711);
}

/* A call through a null pointer: the PC has no code, the caller is on the stack. */
static void test_null_call(void **state)
{
#if defined(__x86_64__)
    ucontext_t context;
    uint64_t frames[64];
    uintptr_t stack[2];
    enum unwind_end end;
    getcontext(&context);
    uintptr_t caller = (uintptr_t)__builtin_return_address(0);
    stack[0] = caller;
    context.uc_mcontext.gregs[REG_RIP] = 0;
    context.uc_mcontext.gregs[REG_RSP] = (greg_t)stack;
    unsigned count = unwind_context(&context, NULL, frames, 64, &end);
    assert_true(count >= 2);
    assert_int_equal(frames[0], 0);
    assert_int_equal(UNWIND_ADDRESS(frames[1]), caller - 1);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_callbacks_through_libc),
        cmocka_unit_test(test_realigned_and_alloca),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_signal_on_alternate_stack),
        cmocka_unit_test(test_here),
        cmocka_unit_test(test_errno_is_kept),
        cmocka_unit_test(test_null_call),
    };
    unwind_init(UNWIND_CFI);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
