/*
 * What can be checked of a walk with nothing but a C library, for machines that
 * have neither cmocka nor libunwind here: hand-made tables, and real stacks whose
 * functions are known. Prints the first thing that is wrong.
 */
#include "fuzz.h"
#include "tables.h"
#include "unwind/module.h"
#include "unwind/rule.h"
#include "unwind/unwind.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void check(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "check_walk: wrong: %s\n", what);
        exit(1);
    }
}

/* On the stack, frame i lies in this function, of at most 512 bytes. */
static bool lies_in(const uint64_t *frames, unsigned i, uintptr_t function)
{
    return UNWIND_ADDRESS(frames[i]) - function < 512;
}

static uint64_t frames[UNWIND_MAX_DEPTH];
static unsigned count;
static enum unwind_end end;

/* noipa: gcc -O3 makes copies, which aren't where its address is. */
__attribute__((noinline, noipa)) static long descend(long depth)
{
    volatile long room[8];
    room[depth % 8] = depth;
    if (depth == 0)
        count = unwind_here(NULL, frames, UNWIND_MAX_DEPTH, &end);
    return depth == 0 ? 0 : descend(depth - 1) + room[depth % 8];
}

static int compare(const void *a, const void *b)
{
    count = unwind_here(NULL, frames, UNWIND_MAX_DEPTH, &end);
    return *(const int *)a - *(const int *)b;
}

static uint64_t interrupted[UNWIND_MAX_DEPTH];
static unsigned interrupted_count;
static enum unwind_end interrupted_end;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    interrupted_count =
        unwind_context(context, NULL, interrupted, UNWIND_MAX_DEPTH, &interrupted_end);
    count = unwind_here(NULL, frames, UNWIND_MAX_DEPTH, &end);
}

static void check_tables(void)
{
    static struct tables tables;
    struct cfi_scratch scratch;
    struct cfi_fde fde;
    struct cfi_row row;
    /* def_cfa_offset 32; offset fp, 4 words below the CFA */
    const uint8_t program[] = {0x0e, 32, 0x80 | ARCH_FP, 4};
    tables_make(&tables, "zR", program, sizeof program);
    uintptr_t pc = tables_pc(&tables, 16);
    check(cfi_find_fde(&tables.source, pc, &scratch, &fde) == CFI_FOUND, "the FDE is found");
    check(cfi_run(&fde, pc, &row), "its program runs");
    uint64_t rule = rule_pack(&fde, &row, pc, 9);
    check((rule & 31) == (RULE_PLAIN | RULE_FP_SAVED), "the rule is plain");
    check(rule_cfa_offset(rule) == 32 && rule_fp_offset(rule) == -32 && rule_ra_offset(rule) == -8,
          "the rule's offsets");
}

static void check_signal(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    check(interrupted_end == UNWIND_COMPLETE, "an interrupted stack is complete");
    check(end == UNWIND_COMPLETE, "a handler's stack is complete");
    /* Handler, trampoline, and then what the context told. */
    check(count == interrupted_count + 2, "the handler's stack goes on with what it interrupted");
    for (unsigned i = 0; i < interrupted_count; i++)
        check(frames[i + 2] == interrupted[i], "above the trampoline");
}

static void check_fuzz(void)
{
    uint8_t bytes[601];
    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(random() >> 8);
        fuzz_walk(bytes, sizeof bytes);
    }
}

int main(void)
{
    int numbers[] = {3, 1, 2};
    unwind_init(UNWIND_CFI);
    check_tables();
    descend(300);
    check(end == UNWIND_COMPLETE && count > 302, "a deep stack is complete");
    for (unsigned i = 0; i <= 300; i++)
        check(lies_in(frames, i, (uintptr_t)descend), "a frame of the recursion");
    check(module_get(UNWIND_MODULE(frames[0]))->is_main, "the program's module");
    qsort(numbers, 3, sizeof numbers[0], compare);
    check(end == UNWIND_COMPLETE, "a stack through qsort is complete");
    check(lies_in(frames, 0, (uintptr_t)compare), "the callback");
    check(!module_get(UNWIND_MODULE(frames[1]))->is_main, "the C library above it");
    check_signal();
    check_fuzz();
    puts("check_walk: as it should be");
    return 0;
}
