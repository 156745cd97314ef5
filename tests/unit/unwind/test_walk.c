/* Real stacks, frame by frame against libunwind's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "own_stack.h"
#include "reference.h"
#include "unwind/cache.h"
#include "unwind/module.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

#if defined(__x86_64__)
/* At the jump that ends _Unwind_RaiseException the frame is gone, and the
 * caller's address is in rcx: CFA = rsp, RA = rcx. The same by hand. */
extern const char jump_begin[];
__asm__(".text\n"
        ".type jump_by_register, @function\n"
        "jump_by_register:\n"
        ".cfi_startproc\n"
        ".cfi_def_cfa rsp, 0\n"
        ".cfi_register rip, rcx\n"
        "jump_begin: jmp *%rcx\n"
        ".cfi_endproc\n"
        ".size jump_by_register, . - jump_by_register\n");

static void test_return_address_in_a_register(void **state)
{
    ucontext_t context;
    getcontext(&context);
    context.uc_mcontext.gregs[REG_RCX] = context.uc_mcontext.gregs[REG_RIP];
    context.uc_mcontext.gregs[REG_RIP] = (greg_t)jump_begin;
    compare_context(&context, NULL);
    assert_int_equal(last_end, UNWIND_COMPLETE);
    assert_true(last_count > 3);
}
#endif

/* A coroutine: neither the thread's limits nor anything else says where its stack is. */
static ucontext_t main_context, coroutine_context;

static void in_coroutine(void)
{
    uint64_t frames[64];
    enum unwind_end end;
    struct unwind_stack stack = own_stack();
    unsigned count = unwind_here(&stack, frames, 64, &end);
    assert_true(count >= 1 && UNWIND_ADDRESS(frames[0]) - (uintptr_t)in_coroutine < 1024);
    assert_int_equal(end, UNWIND_COMPLETE);
    last_count = count;
    swapcontext(&coroutine_context, &main_context);
}

static void test_coroutine(void **state)
{
    static char stack[32768] __attribute__((aligned(16)));
    getcontext(&coroutine_context);
    coroutine_context.uc_stack.ss_sp = stack;
    coroutine_context.uc_stack.ss_size = sizeof stack;
    makecontext(&coroutine_context, in_coroutine, 0);
    last_count = 0;
    swapcontext(&main_context, &coroutine_context);
    assert_true(last_count >= 1);
}

#if defined(__x86_64__)
static uint64_t jit_frames[64];
static unsigned jit_count;
static enum unwind_end jit_end;

__attribute__((noinline)) static void called_by_jit(void)
{
    jit_count = unwind_here(NULL, jit_frames, 64, &jit_end);
    __asm__ volatile("" ::: "memory");
}

/* Code without tables or a module, that keeps a frame pointer: a frame of its own. */
static void test_generated_code(void **state)
{
    static const uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
    uint8_t *jit =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(jit, MAP_FAILED);
    memcpy(jit + 64, code, sizeof code);
    void (*run)(void (*)(void)) = NULL;
    uint8_t *entry = jit + 64;
    memcpy(&run, &entry, sizeof run);
    for (int i = 0; i < 3; i++) {
        run(called_by_jit);
        assert_int_equal(jit_end, UNWIND_COMPLETE);
        assert_int_equal(jit_frames[1], (uintptr_t)entry + 5); /* no module */
        assert_true(UNWIND_ADDRESS(jit_frames[2]) - (uintptr_t)test_generated_code < 1024);
    }
    munmap(jit, 4096);
}
#endif

#if defined(__x86_64__)
/* Assembly without tables that pushes, uses rbp for something else, and calls. */
long bare_assembly(void (*callback)(void));
__asm__(".text\n"
        ".type bare_assembly, @function\n"
        "bare_assembly:\n"
        "push %rbp\n"
        "push %rbx\n"
        "sub $40, %rsp\n"
        "xor %ebp, %ebp\n"
        "call *%rdi\n"
        "mov $7, %eax\n"
        "add $40, %rsp\n"
        "pop %rbx\n"
        "pop %rbp\n"
        "ret\n"
        ".size bare_assembly, . - bare_assembly\n");

static void test_assembly_without_tables(void **state)
{
    assert_int_equal(bare_assembly(called_by_jit), 7);
    assert_int_equal(jit_end, UNWIND_COMPLETE);
    assert_true(UNWIND_ADDRESS(jit_frames[1]) - (uintptr_t)bare_assembly < 32);
    assert_true(UNWIND_ADDRESS(jit_frames[2]) - (uintptr_t)test_assembly_without_tables < 512);
}
#endif

/* What a walk takes of a handler's stack, everything cold: the budget is 4 KiB. */
static ucontext_t budget_context, budget_return, budget_subject;
static uintptr_t budget_top;

static void spend(void)
{
    uint64_t *frames = last_frames; /* static: not part of the walk's own need */
    volatile char here = 0;
    budget_top = (uintptr_t)&here;
    last_count = unwind_context(&budget_subject, NULL, frames, MAX, &last_end);
    swapcontext(&budget_context, &budget_return);
}

static void on_budget_signal(int number)
{
    static uint8_t room[65536] __attribute__((aligned(64)));
    volatile size_t untouched = 0;
    (void)number;
    getcontext(&budget_subject); /* the trampoline and realigned frames lie above */
    memset(cache_sets, 0, sizeof cache_sets);
    memset(room, 0xa5, sizeof room);
    getcontext(&budget_context);
    budget_context.uc_stack.ss_sp = room;
    budget_context.uc_stack.ss_size = sizeof room;
    makecontext(&budget_context, spend, 0);
    swapcontext(&budget_return, &budget_context);
    while (untouched < sizeof room && room[untouched] == 0xa5)
        untouched++;
    size_t used = budget_top - (uintptr_t)(room + untouched);
    assert_int_equal(last_end, UNWIND_COMPLETE);
    assert_true(last_count > 5);
    fprintf(stderr, "a cold walk takes %zu bytes of stack\n", used);
#ifndef __SANITIZE_ADDRESS__ /* whose frames are larger */
    assert_true(used > 500 && used <= 4096);
#endif
}

__attribute__((noinline, force_align_arg_pointer)) static void raise_realigned(void)
{
    volatile int vector[16] __attribute__((aligned(64)));
    vector[3] = 1;
    raise(SIGUSR2);
    vector[4] = vector[3];
}

static void test_stack_budget(void **state)
{
    signal(SIGUSR2, on_budget_signal);
    raise_realigned();
#if defined(__x86_64__)
    bare_assembly(raise_realigned);
    __asm__ volatile("" ::: "memory"); /* no tail call: it's found by its return address */
#endif
}

__attribute__((noinline, optimize("no-omit-frame-pointer"))) static unsigned
framed(int depth, uint64_t *frames, enum unwind_end *end)
{
    unsigned count = depth ? framed(depth - 1, frames, end) : unwind_here(NULL, frames, 64, end);
    __asm__ volatile("" ::: "memory");
    return count;
}

static void test_frame_pointers(void **state)
{
    uint64_t by_tables[64], by_pointers[64];
    enum unwind_end end;
    assert_int_equal(unwind_init(UNWIND_FP), UNWIND_FP);
    memset(cache_sets, 0, sizeof cache_sets);
    unsigned count = framed(20, by_pointers, &end);
    assert_int_equal(unwind_init(UNWIND_CFI), UNWIND_CFI);
    memset(cache_sets, 0, sizeof cache_sets); /* an engine is chosen once in a process's life */
    unsigned expected = framed(20, by_tables, &end);
    assert_int_equal(end, UNWIND_COMPLETE);
    assert_true(count >= 20 && expected > 20);
    assert_memory_equal(by_pointers, by_tables, 20 * sizeof by_tables[0]);
}

static void test_libunwind_engine(void **state)
{
    uint64_t by_tables[64], by_libunwind[64];
    enum unwind_end end;
    if (unwind_init(UNWIND_LIBUNWIND) != UNWIND_LIBUNWIND)
        skip();
    unsigned count = framed(5, by_libunwind, &end);
    assert_int_equal(end, UNWIND_COMPLETE);
    unwind_init(UNWIND_CFI);
    assert_int_equal(framed(5, by_tables, &end), count);
    assert_memory_equal(by_libunwind + 7, by_tables + 7, (count - 7) * sizeof by_tables[0]);
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
        cmocka_unit_test(test_coroutine),
#if defined(__x86_64__)
        cmocka_unit_test(test_return_address_in_a_register),
        cmocka_unit_test(test_generated_code),
        cmocka_unit_test(test_assembly_without_tables),
#endif
        cmocka_unit_test(test_stack_budget),
        cmocka_unit_test(test_frame_pointers),
        cmocka_unit_test(test_libunwind_engine),
    };
    unwind_init(UNWIND_CFI);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
