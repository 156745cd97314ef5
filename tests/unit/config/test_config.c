/* The environment's table: every type, its limits, what is said of nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kit/arena.h"
#include "kit/text.h"
#include "runtime/config.h"
#include "runtime/follow.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char complaints[4096];
static int complaint_count;

static void complain(const char *line)
{
    strncat(complaints, line, sizeof complaints - strlen(complaints) - 2);
    strcat(complaints, "\n");
    complaint_count++;
}

static const char *program(void)
{
    return "/usr/bin/python3.11";
}

static void init_with(const char *one, const char *two)
{
    char *envp[] = {"HOME=/", (char *)one, (char *)two, NULL};

    complaints[0] = '\0';
    complaint_count = 0;
    memset(&config, 0, sizeof config);
    config_init(envp, program, "python3", complain);
}

static void defaults(void **state)
{
    char cwd[CONFIG_PATH_MAX - 16], expected[CONFIG_PATH_MAX];

    init_with(NULL, NULL);
    assert_true(config.selected);
    assert_int_equal(complaint_count, 0);
    assert_int_equal(config.heap_rate, 524288);
    assert_int_equal(config.depth, 128);
    assert_int_equal(config.signal, SIGUSR2);
    assert_int_equal(config.cpu_hz, 100);
    assert_int_equal(config.cpu_signal, 0);
    assert_int_equal(config.block_rate_ns, 1000000);
    assert_int_equal(config.profiles, (1 << CONFIG_PROFILES) - 1);
    assert_int_equal(config.max_memory, 64 << 20);
    assert_int_equal(config.at_exit, 1);
    assert_int_equal(config.interval_ns, 0);
    assert_int_equal(config.log, 1);
    assert_string_equal(config.socket, "");
    assert_non_null(getcwd(cwd, sizeof cwd));
    snprintf(expected, sizeof expected, "%s/libprof.out", cwd);
    assert_string_equal(config.dir, expected);
}

static void accepted_values(void **state)
{
    static const struct {
        const char *assignment;
        const uint64_t *field;
        uint64_t expected;
    } rows[] = {
        {"LIBPROF_HEAP_RATE=1", &config.heap_rate, 1},
        {"LIBPROF_HEAP_RATE=0", &config.heap_rate, 0},
        {"LIBPROF_HEAP_RATE=64k", &config.heap_rate, 65536},
        {"LIBPROF_HEAP_RATE=1M", &config.heap_rate, 1 << 20},
        {"LIBPROF_DEPTH=1024", &config.depth, 1024},
        {"LIBPROF_SIGNAL=SIGUSR1", &config.signal, SIGUSR1},
        {"LIBPROF_SIGNAL=usr1", &config.signal, SIGUSR1},
        {"LIBPROF_SIGNAL=12", &config.signal, 12},
        {"LIBPROF_SIGNAL=none", &config.signal, 0},
        {"LIBPROF_CPU_SIGNAL=RTMIN+5", &config.cpu_signal, 39},
        {"LIBPROF_CPU_SIGNAL=SIGRTMAX-1", &config.cpu_signal, 63},
        {"LIBPROF_CPU_SIGNAL=prof", &config.cpu_signal, SIGPROF},
        {"LIBPROF_BLOCK_RATE=3", &config.block_rate_ns, 3},
        {"LIBPROF_BLOCK_RATE=2ms", &config.block_rate_ns, 2000000},
        {"LIBPROF_INTERVAL=5", &config.interval_ns, 5000000000},
        {"LIBPROF_INTERVAL=250ms", &config.interval_ns, 250000000},
        {"LIBPROF_INTERVAL=2m", &config.interval_ns, 120000000000},
        {"LIBPROF_PROFILES=cpu,mutex", &config.profiles, 1 << CONFIG_CPU | 1 << CONFIG_MUTEX},
        {"LIBPROF_PROFILES=none", &config.profiles, 0},
        {"LIBPROF_PROFILES=cpu", &config.heap_rate, 0},
        {"LIBPROF_PROFILES=heap", &config.cpu_hz, 0},
        {"LIBPROF_MAX_MEMORY=2g", &config.max_memory, UINT64_C(2) << 30},
        {"LIBPROF_HEAP_RATE=1", &config.max_memory, UINT64_C(4) << 30},
        {"LIBPROF_FOLLOW=exec", &config.follow, CONFIG_FOLLOW_EXEC},
        {"LIBPROF_UNWINDER=libunwind", &config.unwinder, 2},
        {"LIBPROF_LOG=quiet", &config.log, 0},
        {"LIBPROF_SEED=18446744073709551615", &config.seed, UINT64_MAX},
        {"LIBPROF_DEPTH=", &config.depth, 128},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        init_with(rows[i].assignment, NULL);
        if (*rows[i].field != rows[i].expected || complaint_count)
            print_error("%s\n", rows[i].assignment);
        assert_int_equal(*rows[i].field, rows[i].expected);
        assert_int_equal(complaint_count, 0);
    }
    init_with("LIBPROF_HEAP_RATE=1", "LIBPROF_MAX_MEMORY=8m");
    assert_int_equal(config.max_memory, 8 << 20);
    init_with("LIBPROF_DIR=/var/tmp/%e", NULL);
    assert_string_equal(config.dir, "/var/tmp/%e");
}

static void nonsense(void **state)
{
    static const struct {
        const char *assignment;
        const uint64_t *field;
        uint64_t standard;
        const char *mentions;
    } rows[] = {
        {"LIBPROF_HEAP_RATE=lots", &config.heap_rate, 524288, "bytes"},
        {"LIBPROF_HEAP_RATE=-1", &config.heap_rate, 524288, "bytes"},
        {"LIBPROF_HEAP_RATE=1kk", &config.heap_rate, 524288, "bytes"},
        {"LIBPROF_HEAP_RATE=99999999999999999999999", &config.heap_rate, 524288, "bytes"},
        {"LIBPROF_DEPTH=0", &config.depth, 128, "1 to 1024"},
        {"LIBPROF_DEPTH=1025", &config.depth, 128, "1 to 1024"},
        {"LIBPROF_DEPTH= 5", &config.depth, 128, "1 to 1024"},
        {"LIBPROF_SIGNAL=KILL", &config.signal, SIGUSR2, "signal"},
        {"LIBPROF_SIGNAL=9", &config.signal, SIGUSR2, "signal"},
        {"LIBPROF_SIGNAL=33", &config.signal, SIGUSR2, "signal"},
        {"LIBPROF_SIGNAL=65", &config.signal, SIGUSR2, "signal"},
        {"LIBPROF_SIGNAL=RTMAX+1", &config.signal, SIGUSR2, "signal"},
        {"LIBPROF_SIGNAL=auto", &config.signal, SIGUSR2, "none"},
        {"LIBPROF_SIGNAL=S", &config.signal, SIGUSR2, "signal"},
        {"LIBPROF_PROFILES=heap,,cpu", &config.profiles, 63, "heap,cpu,threads"},
        {"LIBPROF_PROFILES=heaps", &config.profiles, 63, "heap,cpu,threads"},
        {"LIBPROF_FOLLOW=some", &config.follow, 0, "all,fork,exec,none"},
        {"LIBPROF_INTERVAL=5x", &config.interval_ns, 0, "duration"},
        {"LIBPROF_MAX_MEMORY=1", &config.max_memory, 64 << 20, "at least 1m"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *equals = strchr(rows[i].assignment, '=');
        char name[64] = "";
        init_with(rows[i].assignment, NULL);
        if (complaint_count != 1)
            print_error("%s\n", rows[i].assignment);
        assert_int_equal(complaint_count, 1);
        assert_int_equal(*rows[i].field, rows[i].standard);
        strncat(name, rows[i].assignment, (size_t)(equals - rows[i].assignment));
        assert_non_null(strstr(complaints, name));
        assert_non_null(strstr(complaints, equals + 1));
        assert_non_null(strstr(complaints, rows[i].mentions));
    }
    init_with("LIBPROF_HEAPRATE=1", NULL);
    assert_int_equal(complaint_count, 1);
    assert_non_null(strstr(complaints, "LIBPROF_HEAPRATE is not"));
}

static void long_value_is_cut_not_the_hint(void **state)
{
    char assignment[3000] = "LIBPROF_DEPTH=";

    memset(assignment + strlen(assignment), '7', 2000);
    init_with(assignment, NULL);
    assert_int_equal(complaint_count, 1);
    assert_non_null(strstr(complaints, "accepted: 1 to 1024; using 128"));
}

static void selection(void **state)
{
    init_with("LIBPROF_ONLY=python3*", "LIBPROF_DEPTH=x");
    assert_true(config.selected);
    assert_int_equal(complaint_count, 1);
    init_with("LIBPROF_ONLY=redis-server,python3", NULL); /* argv[0]'s name counts too */
    assert_true(config.selected);
    init_with("LIBPROF_ONLY=redis-server,python", "LIBPROF_DEPTH=x");
    assert_false(config.selected);
    assert_int_equal(complaint_count, 0); /* not a byte from a process not selected */
}

static void glob(void **state)
{
    assert_true(config_glob("*", 1, ""));
    assert_true(config_glob("a*c", 3, "abbc"));
    assert_true(config_glob("a*b*c", 5, "axxbyybzc"));
    assert_true(config_glob("?b", 2, "ab"));
    assert_false(config_glob("?b", 2, "b"));
    assert_false(config_glob("a*c", 3, "abcd"));
    assert_false(config_glob("", 0, "a"));
    assert_true(config_glob("ab,c", 2, "ab"));
}

static void preload_is_stripped(void **state)
{
    char out[128];

    assert_true(follow_strip_preload("LD_PRELOAD=/a/libprof.so", out));
    assert_string_equal(out, "LD_PRELOAD=");
    assert_true(follow_strip_preload("LD_PRELOAD=libx.so:/a/libprof.so liby.so", out));
    assert_string_equal(out, "LD_PRELOAD=libx.so:liby.so");
    assert_false(follow_strip_preload("LD_PRELOAD=/a/notlibprof.so", out));
    assert_false(follow_strip_preload("LD_PRELOADED=/a/libprof.so", out));
    assert_false(follow_strip_preload("PATH=/a/libprof.so", out));
}

static void text_formats(void **state)
{
    char buffer[64], small[8];
    struct text text;

    text_init(&text, buffer, sizeof buffer);
    text_format(&text, "%s-%04u-%x-%d-%llu-%zu-%c%%", "a", 7u, 255u, -12, 1ULL << 63, (size_t)9,
                'z');
    assert_string_equal(buffer, "a-0007-ff--12-9223372036854775808-9-z%");
    text_init(&text, small, sizeof small);
    text_string(&text, "0123456789");
    assert_string_equal(small, "0123456");
    assert_true(text.cut);
}

static void arena_memory(void **state)
{
    struct arena arena = {.limit = 1 << 20};
    unsigned char *a = arena_alloc(&arena, 100), *b = arena_alloc(&arena, 300000);

    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal((uintptr_t)a % 16, 0);
    for (int i = 0; i < 300000; i++)
        assert_int_equal(b[i], 0);
    memset(b, 1, 300000);
    assert_null(arena_alloc(&arena, 900000)); /* over the limit */
    assert_null(arena_alloc(&arena, SIZE_MAX - 3));
    arena_release(&arena);
    assert_int_equal(arena.total, 0);
    assert_non_null(arena_alloc(&arena, 900000));
    arena_release(&arena);
}

static void put(void *context, const char *text)
{
    strncat(context, text, 16000 - strlen(context));
}

static void table_prints_itself(void **state)
{
    static char table[16384];

    table[0] = '\0';
    config_print_table(put, table);
    assert_non_null(strstr(table, "| `LIBPROF_HEAP_RATE` | `512k` | "));
    assert_non_null(strstr(table, "| `LIBPROF_SEED` | "));
    assert_null(strstr(table, "||"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(accepted_values),
        cmocka_unit_test(nonsense),
        cmocka_unit_test(long_value_is_cut_not_the_hint),
        cmocka_unit_test(selection),
        cmocka_unit_test(glob),
        cmocka_unit_test(preload_is_stripped),
        cmocka_unit_test(text_formats),
        cmocka_unit_test(arena_memory),
        cmocka_unit_test(table_prints_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
