/* The ledger's writer against its reader, in one process. */
#include "ledger/counter.h"
#include "ledger/ledger.h"
#include "ledger/memory.h"
#include "wire/reader.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The ledger asks for modules through a sink; this test has none to tell of. */
void module_set_sink(void (*sink)(unsigned index, const struct module *module))
{
}

static const struct ledger_settings settings = {
    .max_memory = 8 << 20,
    .heap_rate = 1,
    .planes = 3,
    .exe = "/bin/program",
    .cmdline = "program\0-x",
    .cmdline_size = 11,
};

static int make(void **state)
{
    int fd;
    assert_true(ledger_create(&settings, &fd));
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int drop(void **state)
{
    ledger_drop();
    assert_null(ledger);
    return 0;
}

static void open_view(struct ledger_view *view)
{
    assert_null(ledger_view_open(view, ledger, ledger->size));
}

static void header_tells_the_process(void **state)
{
    struct ledger_view view;
    open_view(&view);
    size_t length;
    assert_string_equal(ledger_view_string(&view, ledger->exe, &length), "/bin/program");
    assert_int_equal(length, 12);
    assert_memory_equal(ledger_view_string(&view, ledger->cmdline, &length), "program\0-x", 11);
    assert_int_equal(length, 11);
    assert_int_equal(ledger->pid, getpid());
}

static void a_site_is_its_stack_and_key(void **state)
{
    uint64_t frames[] = {0x1000, 0x2000, 0x3000};
    uint32_t site = ledger_site(LEDGER_KIND_HEAP, 16, frames, 3, UNWIND_COMPLETE);
    assert_int_not_equal(site, 0);
    assert_int_equal(ledger_site(LEDGER_KIND_HEAP, 16, frames, 3, UNWIND_COMPLETE), site);
    assert_int_not_equal(ledger_site(LEDGER_KIND_HEAP, 17, frames, 3, UNWIND_COMPLETE), site);
    assert_int_not_equal(ledger_site(LEDGER_KIND_CPU, 16, frames, 3, UNWIND_COMPLETE), site);
    assert_int_not_equal(ledger_site(LEDGER_KIND_HEAP, 16, frames, 2, UNWIND_COMPLETE), site);
    frames[1] = 0x2001;
    assert_int_not_equal(ledger_site(LEDGER_KIND_HEAP, 16, frames, 3, UNWIND_COMPLETE), site);

    struct ledger_view view;
    open_view(&view);
    struct ledger_site_view out;
    assert_true(ledger_view_site(&view, site, &out));
    assert_int_equal(out.key, 16);
    struct ledger_stack_view stack;
    assert_true(ledger_view_stack(&view, out.stack, &stack));
    assert_int_equal(stack.depth, 3);
    assert_int_equal(stack.frames[1], 0x2000);
    assert_int_equal(stack.end, UNWIND_COMPLETE);
    assert_int_equal(ledger_view_stat(&view, LEDGER_STAT_STACKS_COMPLETE), 3);
}

/* Enough entries that every level of the index is used. */
static void many_sites_are_all_found_again(void **state)
{
    enum { MANY = 30000 };
    static uint32_t sites[MANY];
    for (uint64_t n = 0; n < MANY; n++) {
        uint64_t frames[] = {n, n ^ 7};
        sites[n] = ledger_site(LEDGER_KIND_BLOCK, n % 3, frames, 2, UNWIND_BROKEN);
        assert_int_not_equal(sites[n], 0);
    }
    for (uint64_t n = 0; n < MANY; n++) {
        uint64_t frames[] = {n, n ^ 7};
        assert_int_equal(ledger_site(LEDGER_KIND_BLOCK, n % 3, frames, 2, UNWIND_BROKEN), sites[n]);
    }
}

static void a_full_ledger_counts_what_it_loses(void **state)
{
    uint64_t lost = 0;
    for (uint64_t n = 0; n < 400000 && lost < 100; n++) {
        uint64_t frames[100] = {n + UINT64_C(0x100000000)};
        if (!ledger_site(LEDGER_KIND_HEAP, 1, frames, 100, UNWIND_COMPLETE))
            lost++;
    }
    assert_int_equal(lost, 100);
    assert_int_equal(ledger->stats[LEDGER_STAT_LOST_MEMORY], 100);
    assert_true(ledger->total_reserved <= settings.max_memory);
}

static void counters_add_up_over_planes(void **state)
{
    uint64_t frames[] = {42};
    uint32_t site = ledger_site(LEDGER_KIND_HEAP, 100, frames, 1, UNWIND_COMPLETE);
    for (unsigned plane = 0; plane < 3; plane++) {
        struct ledger_counter *counter = ledger_counter(plane, site);
        assert_non_null(counter);
        counter->count += plane + 1;
        counter->peak_epoch = 0;
    }
    ledger_counter(2, site)->value = 4; /* freed in another thread than allocated */
    struct ledger_view view;
    open_view(&view);
    struct ledger_site_view out;
    assert_true(ledger_view_site(&view, site, &out));
    assert_int_equal(out.count, 6);
    assert_int_equal(out.value, 4);
    assert_int_equal(out.peak, 2); /* unchanged since the peak: what is in use */
    ledger_counter(1, site)->peak = 9;
    ledger_counter(1, site)->peak_epoch = ledger->heap_peak_epoch;
    assert_true(ledger_view_site(&view, site, &out));
    assert_int_equal(out.peak, 1 + 9 - 1);
}

static void threads_have_names_and_ends(void **state)
{
    uint32_t index = ledger_thread(1234, 0, "a very long thread name");
    assert_int_not_equal(index, 0);
    struct ledger_view view;
    open_view(&view);
    struct ledger_thread_view out;
    assert_true(ledger_view_thread(&view, index, &out));
    assert_string_equal(out.name, "a very long thr");
    assert_int_equal(out.tid, 1234);
    assert_int_equal(out.end_ns, 0);
    assert_false(ledger_view_thread(&view, index + 1, &out));
}

static void *enter_sites(void *arg)
{
    uint32_t *sites = arg;
    for (uint64_t n = 0; n < 8000; n++) {
        uint64_t frames[] = {n * 3, 5};
        sites[n] = ledger_site(LEDGER_KIND_HEAP, n, frames, 2, UNWIND_COMPLETE);
    }
    return NULL;
}

static void threads_agree_on_sites(void **state)
{
    static uint32_t sites[4][8000];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, enter_sites, sites[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 1; i < 4; i++)
        assert_memory_equal(sites[0], sites[i], sizeof sites[0]);
    struct ledger_view view;
    open_view(&view);
    unsigned filled = 0;
    for (uint32_t site = 1; site < ledger_view_sites(&view); site++) {
        struct ledger_site_view out;
        filled += ledger_view_site(&view, site, &out);
    }
    assert_int_equal(filled, 8000); /* those that lost a race are void */
}

/* Every byte of the header and tables replaced by noise: the reader stays inside. */
static void a_hostile_ledger_is_harmless(void **state)
{
    uint64_t frames[] = {1, 2, 3};
    for (uint64_t n = 0; n < 50; n++)
        ledger_site(LEDGER_KIND_HEAP, n, frames, 3, UNWIND_COMPLETE);
    ledger_thread(1, 0, "t");
    memory_open_all(); /* for the copy below */
    uint64_t size = ledger->sections[LEDGER_COUNTERS + 2].offset;
    unsigned char *copy = aligned_alloc(64, (size + 63) & ~UINT64_C(63));
    assert_non_null(copy);
    srand(1);
    for (int round = 0; round < 400; round++) {
        memcpy(copy, ledger, size);
        for (int i = 0; i < 40; i++) {
            uint64_t where = (uint64_t)rand() % (i < 20 ? sizeof(struct ledger_header) : size);
            copy[where] = (unsigned char)rand();
        }
        struct ledger_view view;
        if (ledger_view_open(&view, copy, (uint64_t)rand() % 2 ? size : (uint64_t)rand() % size))
            continue;
        struct ledger_site_view site;
        struct ledger_stack_view stack;
        struct ledger_module_view module;
        struct ledger_thread_view thread;
        volatile uint64_t sum = 0;
        uint32_t sites = ledger_view_sites(&view);
        for (uint32_t n = 0; n < sites && n < 500; n++)
            if (ledger_view_site(&view, n, &site) && ledger_view_stack(&view, site.stack, &stack))
                for (uint32_t i = 0; i < stack.depth; i++)
                    sum += stack.frames[i];
        for (uint32_t n = 0; n < 100; n++) {
            if (ledger_view_module(&view, n, &module))
                sum += strlen(module.path);
            ledger_view_thread(&view, (uint32_t)rand(), &thread);
            size_t length;
            sum += (unsigned char)ledger_view_string(&view, (uint32_t)rand(), &length)[0];
        }
        (void)sum;
    }
    free(copy);
}

static void a_truncated_ledger_is_refused(void **state)
{
    struct ledger_view view;
    assert_non_null(ledger_view_open(&view, ledger, 100));
    assert_non_null(ledger_view_open(&view, ledger, ledger->size - 4096));
    _Alignas(64) uint64_t not_a_ledger[1024] = {0};
    assert_non_null(ledger_view_open(&view, not_a_ledger, sizeof not_a_ledger));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(header_tells_the_process),       TEST(a_site_is_its_stack_and_key),
        TEST(many_sites_are_all_found_again), TEST(a_full_ledger_counts_what_it_loses),
        TEST(counters_add_up_over_planes),    TEST(threads_have_names_and_ends),
        TEST(threads_agree_on_sites),         TEST(a_hostile_ledger_is_harmless),
        TEST(a_truncated_ledger_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
