/* A few seconds of random tables, registers and stacks, in a child: never a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fuzz.h"
#include "kit/sys.h"
#include "tables.h"
#include "unwind/module_table.h"
#include "unwind/unwind.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t seed;

static uint64_t random_word(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Runs it for some seconds in a child, with a watchdog. */
static void survives(void (*one)(void), unsigned seconds)
{
    int status;
    seed = (uint64_t)time(NULL) * 2654435761u + 1;
    fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* not cmocka's */
        signal(SIGBUS, SIG_DFL);
        alarm(seconds + 30);
        time_t stop = time(NULL) + (time_t)seconds;
        do {
            for (int i = 0; i < 200; i++)
                one();
        } while (time(NULL) < stop);
        _exit(0);
    }
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void flip(uint8_t *bytes, size_t size)
{
    unsigned flips = (unsigned)(random_word() % 8);
    for (unsigned i = 0; i < flips; i++) {
        size_t at = random_word() % size;
        if (random_word() % 2)
            bytes[at] = (uint8_t)random_word();
        else
            bytes[at] ^= (uint8_t)(1u << random_word() % 8);
    }
}

/* The beginning of this program's own tables, a few bytes changed. */
static void mutate_real_tables(void)
{
    static uint8_t bytes[8192];
    const struct module_entry *entry =
        module_entry_get(module_find((uintptr_t)&mutate_real_tables));
    uintptr_t hdr = (uintptr_t)entry->module.eh_frame_hdr;
    size_t size = entry->cfi_high - hdr < sizeof bytes ? entry->cfi_high - hdr : sizeof bytes;
    memcpy(bytes, (const void *)hdr, size);
    flip(bytes, size);
    fuzz_tables(bytes, random_word() % 16 ? size : random_word() % size);
}

/* A function's whole instruction sequence at random. */
static void random_program(void)
{
    static struct tables tables;
    uint8_t program[64];
    size_t size = random_word() % sizeof program;
    for (size_t i = 0; i < size; i++)
        program[i] = random_word() % 3 ? (uint8_t)random_word() % 0x30 : (uint8_t)random_word();
    tables_make(&tables, random_word() % 4 ? "zR" : "zRS", program, size);
    flip(tables.bytes, tables.size);
    fuzz_tables(tables.bytes, tables.size);
}

static void random_stack(void)
{
    uint8_t bytes[1 + 2 * 300];
    for (size_t i = 0; i < sizeof bytes; i += 4) {
        uint32_t word = (uint32_t)random_word();
        memcpy(bytes + i, &word, sizeof bytes - i < 4 ? sizeof bytes - i : 4);
    }
    fuzz_walk(bytes, sizeof bytes);
}

static void test_corrupted_tables(void **state)
{
    survives(mutate_real_tables, 2);
    survives(random_program, 2);
}

static void test_random_registers_and_stacks(void **state)
{
    survives(random_stack, 3);
}

static void test_without_system_calls(void **state)
{
    atomic_store(&sys_calls_forbidden, true);
    survives(random_stack, 2);
    atomic_store(&sys_calls_forbidden, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corrupted_tables),
        cmocka_unit_test(test_random_registers_and_stacks),
        cmocka_unit_test(test_without_system_calls),
    };
    unwind_init(UNWIND_CFI);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
