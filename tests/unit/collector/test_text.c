/* Text profiles: read back what Go and gperftools print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profile/profile_io.h"
#include "report/text.h"

static struct profile *read_ok(const char *text)
{
    struct error err;
    struct profile *p = profile_read_memory(text, strlen(text), &err);
    if (!p)
        fail_msg("%s", err.text);
    return p;
}

static void read_bad(const char *text, const char *expected)
{
    struct error err;
    assert_null(profile_read_memory(text, strlen(text), &err));
    if (!strstr(err.text, expected))
        fail_msg("expected '%s' in '%s'", expected, err.text);
}

static void reads_heap(void **state)
{
    (void)state;
    struct profile *p = read_ok("heap profile: 22: 81008 [59: 117000] @ heap/1048576\n"
                                "19: 77824 [19: 77824] @ 0x6a31d1 0x6a35ef\n"
                                "#\t0x6a31d0\tmain.leaky+0x50\t\t/src/app/main.go:23\n\n"
                                "0: 0 [2: 2000] @ 0x6a31d1\n\n# runtime.MemStats\n# Alloc = 5\n");
    assert_int_equal(p->n_sample_types, 4);
    assert_int_equal(p->period, 524288);
    assert_int_equal(p->samples[0]->values[2], 2441);
    assert_int_equal(p->samples[0]->values[3], 10000434);
    assert_int_equal(p->samples[0]->locations[0]->address, 0x6a31d0);
    assert_int_equal(profile_find_label(p->samples[0], "bytes")->num, 4096);
    assert_int_equal(p->samples[1]->values[0], 1049);
    assert_int_equal(p->samples[1]->values[2], 0);
    profile_free(p);
    p = read_ok("heap profile: 1: 8 [1: 8] @ heapprofile\n1: 8 [1: 8] @ 0x10\n");
    assert_int_equal(p->n_sample_types, 2);
    assert_int_equal(p->samples[0]->values[1], 8);
    profile_free(p);
    read_bad("heap profile: 1: 8 [1: 8] @ strange/7\n", "unrecognized heap profile");
    read_bad("heap profile: 1: 8 [2: 8] @ heap/2\n0: 2000 [1: 1] @ 0x1\n",
             "inuse count was 0 but inuse bytes was 2000");
    read_bad("heap profile: 1: 8 [2: 8] @ heap/2\nnonsense\n", "line 2: malformed sample");
}

static void reads_counts_and_maps(void **state)
{
    (void)state;
    struct profile *p = read_ok("threads profile: total 5\n3 @ 0x401010 0x7f0000000020\n\n"
                                "2 @ 0x401010\n# labels: {\"a\":\"b\"}\n"
                                "--- Memory map: ---\n"
                                "7f0000000000-7f0000001000 r-xp 00001000 08:01 5  /lib/libx.so.6\n"
                                "00400000-00401000 r--p 00000000 08:01 4 /bin/app\n"
                                "00401000-00402000 r-xp 00001000 08:01 4 /bin/app (deleted)\n");
    assert_string_equal(p->sample_types[0].type, "threads");
    assert_int_equal(p->samples[0]->values[0], 3);
    assert_int_equal(p->n_mappings, 2);
    assert_string_equal(p->mappings[0]->file, "/bin/app"); /* no library: the program */
    assert_ptr_equal(p->samples[0]->locations[0]->mapping, p->mappings[0]);
    assert_int_equal(p->mappings[1]->offset, 0x1000);
    profile_free(p);
    read_bad("threads profile: total 5\n5 @\nx\n", "malformed profile format");
}

static void reads_contention(void **state)
{
    (void)state;
    struct profile *p = read_ok("--- mutex:\ncycles/second=2000000000\nsampling period=10\n"
                                "4000 3 @ 0x11 0x21\n");
    assert_int_equal(p->samples[0]->values[0], 30);
    assert_int_equal(p->samples[0]->values[1], 20000);
    profile_free(p);
    read_bad("--- contention:\nformat=java\n", "unrecognized");
}

static void reads_threadz(void **state)
{
    (void)state;
    struct profile *p = read_ok("--- threadz 1 ---\n\n"
                                "--- Thread 7f01 (name: main/12) stack: ---\n  0x11 0x21\n  0x31\n"
                                "--- Thread 7f02 (name: w/13) stack: ---\n"
                                "  [same as previous thread]\n"
                                "--- Memory map: ---\n00000000-00001000: /bin/app\n");
    assert_int_equal(p->n_samples, 1);
    assert_int_equal(p->samples[0]->values[0], 2);
    assert_int_equal(p->samples[0]->n_locations, 3);
    assert_int_equal(p->samples[0]->locations[0]->address, 0x11); /* the leaf is exact */
    assert_int_equal(p->samples[0]->locations[1]->address, 0x20);
    profile_free(p);
}

static void reads_gperftools_cpu(void **state)
{
    (void)state;
    const uint64_t words[] = {0, 3, 0, 10000, 0, 4, 2, 0x1010, 0x2021, 0, 1, 0};
    static const char maps[] = "00001000-00003000 r-xp 00000000 08:01 4 /bin/app\n";
    unsigned char data[sizeof(words) + sizeof(maps)];
    struct error err;
    memcpy(data, words, sizeof(words));
    memcpy(data + sizeof(words), maps, sizeof(maps) - 1);
    struct profile *p = profile_read_memory(data, sizeof(data) - 1, &err);
    assert_non_null(p);
    assert_int_equal(p->period, 10000000);
    assert_int_equal(p->samples[0]->values[1], 40000000);
    assert_int_equal(p->samples[0]->locations[0]->address, 0x1010);
    profile_free(p);
    assert_null(profile_read_memory(data, 7 * sizeof(*words), &err));
    assert_non_null(strstr(err.text, "truncated"));
}

static void prints_go_text(void **state)
{
    (void)state;
    static const char text[] = "heap profile: 1: 4096 [3: 6096] @ heap/1048576\n"
                               "1: 4096 [1: 4096] @ 0x401011 0x401021\n";
    struct profile *p = read_ok(text);
    struct profile_function *f = profile_add_function(p, "work", "work", "/src/w.c", 3);
    const uint64_t entries[] = {0x401000, 0};
    char *printed = NULL;
    size_t size;
    profile_set_lines(p, p->locations[0], 1);
    p->locations[0]->lines[0] = (struct profile_line){.function = f, .line = 7};
    FILE *out = open_memstream(&printed, &size);
    text_print_debug1(p, NULL, &(struct text_options){.entries = entries}, out);
    fclose(out);
    /* The header counts the records; its alloc bytes are one off to tell the pairs apart. */
    assert_string_equal(printed, "heap profile: 1: 4096 [1: 4097] @ heap/1048576\n"
                                 "1: 4096 [1: 4096] @ 0x401011 0x401021\n"
                                 "#\t0x401010\twork+0x10\t/src/w.c:7\n"
                                 "#\t0x401020\n\n");
    struct profile *again = read_ok(printed);
    for (int i = 0; i < 4; i++)
        assert_int_equal(again->samples[0]->values[i], p->samples[0]->values[i]);
    profile_free(again);
    profile_free(p);
    free(printed);
}

static void add_thread(struct profile *p, const char *thread, const char *tid, const char *job)
{
    struct profile_sample *s = profile_add_sample(p, 1, tid ? 3 : 1);
    s->locations[0] = p->locations[0];
    s->values[0] = 1;
    s->labels[0] = (struct profile_label){.key = "job", .str = job, .unit = ""};
    if (tid) {
        s->labels[1] = (struct profile_label){.key = "thread", .str = thread, .unit = ""};
        s->labels[2] = (struct profile_label){.key = "tid", .str = tid, .unit = ""};
    }
}

/* Threads in one place are one line with what they have in common; Go's goroutines are told
 * apart by the labels that they were given. */
static void counts_threads_by_stack(void **state)
{
    (void)state;
    struct profile *p = read_ok("goroutine profile: total 1\n1 @ 0x401011\n");
    char *printed = NULL;
    size_t size;
    add_thread(p, "pool", "11", "web");
    add_thread(p, "pool", "12", "web");
    add_thread(p, "pool", "13", "mail");
    add_thread(p, NULL, NULL, "mail");
    FILE *out = open_memstream(&printed, &size);
    text_print_debug1(p, NULL, &(struct text_options){0}, out);
    fclose(out);
    assert_non_null(strstr(printed, "goroutine profile: total 5\n3 @ 0x401011\n"
                                    "# labels: {\"thread\":\"pool\"}\n"));
    assert_non_null(strstr(printed, "\n1 @ 0x401011\n# labels: {\"job\":\"mail\"}\n"));
    struct profile *again = read_ok(printed);
    assert_int_equal(again->n_samples, 3);
    assert_int_equal(again->samples[0]->values[0], 3);
    profile_free(again);
    profile_free(p);
    free(printed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_heap),
        cmocka_unit_test(reads_counts_and_maps),
        cmocka_unit_test(reads_contention),
        cmocka_unit_test(reads_threadz),
        cmocka_unit_test(reads_gperftools_cpu),
        cmocka_unit_test(prints_go_text),
        cmocka_unit_test(counts_threads_by_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
