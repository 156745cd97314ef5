/*
 * Every instruction of whole functions: a traced child single-steps through
 * lazily bound calls, leaf functions, prologues and epilogues, system calls by
 * the vDSO and a signal handler; at each PC the child's registers are unwound
 * and compared with what the stack really is.
 *
 * The child walks itself: the tracer lets it step, and at each stop copies its
 * registers and the upper part of its stack out; walking happens in the tracer,
 * over a copy of the stack at the same addresses (the tracer forked the child,
 * so code and libraries are the same).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reference.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)

/* The child runs on this stack, which parent and child have at the same place;
 * the tracer overwrites its own copy with the child's. */
#define STACK_SIZE (256 * 1024)
static char *stack;

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void on_signal(int number)
{
    (void)number;
}

__attribute__((noinline)) static long leaf(long x)
{
    return x * 3 + 1;
}

__attribute__((noinline, force_align_arg_pointer)) static long aligned(long n)
{
    volatile long room[8] __attribute__((aligned(64)));
    room[n % 8] = leaf(n);
    return room[n % 8];
}

__attribute__((noinline)) static long with_alloca(size_t n)
{
    char *room = __builtin_alloca(n);
    memset(room, 1, n);
    return room[n - 1];
}

/* Each of the two in a section of its own, whose bounds the linker knows. */
#define IN_SECTION(name) __attribute__((noinline, section(name)))
extern const char __start_step_traced[], __stop_step_traced[];
extern const char __start_step_outermost[], __stop_step_outermost[];

/* The traced part: lazily bound library calls go through the PLT and the
 * loader's resolver the first time. */
IN_SECTION("step_traced") static void traced(void)
{
    int numbers[] = {3, 1, 2};
    char text[64];
    struct timespec now;
    long sum = aligned(5) + with_alloca(100);
    qsort(numbers, 3, sizeof numbers[0], compare);
    clock_gettime(CLOCK_MONOTONIC, &now);
    sum += (long)strlen(strcpy(text, "hello")) + labs(-sum);
    sum += (long)(pow((double)numbers[0], 2.5) * 10);
    free(malloc(100));
    raise(SIGUSR1);
    getppid();
    snprintf(text, sizeof text, "%ld %d", sum, numbers[1]);
}

IN_SECTION("step_outermost") static void outermost(void)
{
    traced();
    __asm__ volatile("" ::: "memory");
}

static void on_new_stack(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    outermost();
    _exit(0);
}

static void run_child(void)
{
    static ucontext_t context;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&context, on_new_stack, 0);
    setcontext(&context);
}

static void to_context(const struct user_regs_struct *regs, ucontext_t *context)
{
    const struct arch_regs ours = {{
        regs->rax,
        regs->rdx,
        regs->rcx,
        regs->rbx,
        regs->rsi,
        regs->rdi,
        regs->rbp,
        regs->rsp,
        regs->r8,
        regs->r9,
        regs->r10,
        regs->r11,
        regs->r12,
        regs->r13,
        regs->r14,
        regs->r15,
        regs->rip,
    }};
    memset(context, 0, sizeof *context);
    arch_to_context(&ours, context);
}

static bool copy_stack(pid_t child, uintptr_t sp)
{
    uintptr_t from = sp - 256; /* with the red zone */
    if (from < (uintptr_t)stack || sp >= (uintptr_t)stack + STACK_SIZE)
        return false;
    struct iovec here = {(void *)from, (uintptr_t)stack + STACK_SIZE - from};
    return process_vm_readv(child, &here, 1, &here, 1, 0) == (ssize_t)here.iov_len;
}

static bool in_traced(uint64_t frame)
{
    return UNWIND_ADDRESS(frame) >= (uintptr_t)__start_step_traced &&
           UNWIND_ADDRESS(frame) < (uintptr_t)__stop_step_traced;
}

static bool in_outermost(uint64_t frame)
{
    return UNWIND_ADDRESS(frame) >= (uintptr_t)__start_step_outermost &&
           UNWIND_ADDRESS(frame) < (uintptr_t)__stop_step_outermost;
}

struct tally {
    unsigned long stops, inside, lost;
    bool left;
};

/* The vDSO reads the clock until its page has held still meanwhile, which at a look for each
 * instruction it might never do: fifty looks at each of its instructions are enough. */
static bool is_seen_enough(uintptr_t pc)
{
    static uint8_t looks[1 << 14]; /* the vDSO has two pages */
    uintptr_t offset = pc - getauxval(AT_SYSINFO_EHDR);
    if (offset >= sizeof looks)
        return false;
    if (looks[offset] == 50)
        return true;
    looks[offset]++;
    return false;
}

/* One stop: does the stack lead to traced() and outermost()? */
static void examine(pid_t child, struct tally *tally)
{
    struct user_regs_struct regs;
    ucontext_t context;
    uint64_t ours[64], theirs[64];
    enum unwind_end end;
    ptrace(PTRACE_GETREGS, child, NULL, &regs);
    if (is_seen_enough(regs.rip) || !copy_stack(child, regs.rsp))
        return;
    to_context(&regs, &context);
    struct unwind_stack limits = {.low = (uintptr_t)stack, .high = (uintptr_t)stack + STACK_SIZE};
    unsigned count = unwind_context(&context, &limits, ours, 64, &end);
    bool found_traced = false, found_outermost = false;
    for (unsigned i = 0; i < count; i++) {
        /* traced() is called by outermost(): the one right above the other. */
        if (in_traced(ours[i])) {
            found_traced = true;
            found_outermost = i + 1 < count && in_outermost(ours[i + 1]);
        }
    }
    tally->stops++;
    if (found_traced && found_outermost && end == UNWIND_COMPLETE) {
        tally->inside++;
        return;
    }
    /* Before traced() is entered, and after it has returned. */
    tally->left |= tally->inside > 0 && in_outermost(regs.rip);
    if (tally->inside == 0 || tally->left)
        return;
    tally->lost++;
    if (tally->lost < 10) {
        unsigned reference = reference_walk(&context, theirs, 64);
        fprintf(stderr, "at %llx\n", regs.rip);
        reference_print("ours", ours, count);
        reference_print("libunwind", theirs, reference);
    }
}

static void test_every_instruction(void **state)
{
    struct tally tally = {0};
    int status;
    stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(stack, MAP_FAILED);
    pid_t child = fork();
    if (child == 0)
        run_child();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    for (;;) {
        int deliver = WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR1 ? SIGUSR1 : 0;
        ptrace(PTRACE_SINGLESTEP, child, NULL, deliver);
        waitpid(child, &status, 0);
        if (!WIFSTOPPED(status))
            break;
        examine(child, &tally);
    }
    assert_true(WIFEXITED(status));
    fprintf(stderr, "%lu stops, %lu within the traced function, %lu lost\n", tally.stops,
            tally.inside, tally.lost);
    assert_true(tally.inside > 2000);
    assert_int_equal(tally.lost, 0);
}

#endif

int main(void)
{
#if defined(__x86_64__)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_instruction),
    };
    unwind_init(UNWIND_CFI);
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 77; /* skipped: no single steps under emulation */
#endif
}
