/* What the encoder makes of a known ledger, read back by protobuf-c and by go's pprof. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ledger/counter.h"
#include "ledger/memory.h"
#include "wire/string_table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const uint64_t two[] = {FRAME(1, LIB_START + 0x10), FRAME(2, MAIN_START + 0x20)};
static const uint64_t other[] = {FRAME(3, LIB_START + 0x10), FRAME(2, MAIN_START + 0x20)};
static const uint64_t jit[] = {FRAME(0, 0x1234), FRAME(2, MAIN_START + 0x30)};

static const char *string_of(const Profile *profile, int64_t index)
{
    assert_in_range(index, 0, profile->n_string_table - 1);
    return profile->string_table[index];
}

/* Everything that some reader rejects a profile for. */
static void check_rules(const Profile *profile)
{
    assert_string_equal(profile->string_table[0], "");
    for (size_t i = 0; i < profile->n_string_table; i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(profile->string_table[i], profile->string_table[j]);
        char clean[STRINGS_LONGEST];
        string_table_sanitize(profile->string_table[i], strlen(profile->string_table[i]), clean,
                              sizeof clean);
        assert_string_equal(profile->string_table[i], clean);
    }
    for (size_t i = 0; i < profile->n_mapping; i++)
        assert_int_equal(profile->mapping[i]->id, i + 1);
    for (size_t i = 0; i < profile->n_function; i++)
        assert_int_equal(profile->function[i]->id, i + 1);
    for (size_t i = 0; i < profile->n_location; i++) {
        assert_int_equal(profile->location[i]->id, i + 1);
        assert_in_range(profile->location[i]->mapping_id, 0, profile->n_mapping);
    }
    for (size_t i = 0; i < profile->n_sample; i++) {
        const Sample *sample = profile->sample[i];
        assert_int_equal(sample->n_value, profile->n_sample_type);
        assert_true(sample->n_location_id > 0);
        for (size_t j = 0; j < sample->n_location_id; j++)
            assert_in_range(sample->location_id[j], 1, profile->n_location);
        for (size_t j = 0; j < sample->n_label; j++)
            assert_int_not_equal(sample->label[j]->key, 0);
    }
    assert_true(profile->n_mapping > 0);
    assert_string_equal(string_of(profile, profile->mapping[0]->filename), "/opt/app");
    /* the same index, not just the same string: some readers compare indexes */
    assert_int_equal(profile->default_sample_type,
                     profile->sample_type[profile->n_sample_type - 1]->type);
}

static Profile *encode(enum dump_profile which)
{
    Profile *profile = fixture_encode(which);

    check_rules(profile);
    return profile;
}

static void assert_types(const Profile *profile, const char *expected)
{
    char found[256] = "";

    for (size_t i = 0; i < profile->n_sample_type; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s/%s ",
                 string_of(profile, profile->sample_type[i]->type),
                 string_of(profile, profile->sample_type[i]->unit));
    assert_string_equal(found, expected);
}

static const char *label_string(const Profile *profile, const Sample *sample, const char *key)
{
    for (size_t i = 0; i < sample->n_label; i++)
        if (strcmp(string_of(profile, sample->label[i]->key), key) == 0)
            return string_of(profile, sample->label[i]->str);
    return NULL;
}

static int64_t label_number(const Profile *profile, const Sample *sample, const char *key,
                            const char *unit)
{
    for (size_t i = 0; i < sample->n_label; i++)
        if (strcmp(string_of(profile, sample->label[i]->key), key) == 0) {
            assert_string_equal(string_of(profile, sample->label[i]->num_unit), unit);
            return sample->label[i]->num;
        }
    return -1;
}

static bool has_comment(const Profile *profile, const char *part)
{
    for (size_t i = 0; i < profile->n_comment; i++)
        if (strstr(string_of(profile, profile->comment[i]), part))
            return true;
    return false;
}

static void heap_exact(void **state)
{
    fixture_ledger(1, 64 << 20);
    fixture_site(LEDGER_KIND_HEAP, 100, two, 2, UNWIND_COMPLETE, 7, 3);
    fixture_site(LEDGER_KIND_HEAP, 100, other, 2, UNWIND_COMPLETE, 1, 1);
    fixture_site(LEDGER_KIND_HEAP, 0, two, 2, UNWIND_COMPLETE, 5, 0);
    fixture_site(LEDGER_KIND_HEAP, 64, jit, 2, UNWIND_TRUNCATED, 1, 0);
    fixture_site(LEDGER_KIND_CPU, 0, two, 2, UNWIND_COMPLETE, 9, 90); /* another profile's */
    fixture_site(LEDGER_KIND_HEAP, 8, two, 1, UNWIND_COMPLETE, 0, 0); /* nothing to show */

    Profile *profile = encode(DUMP_HEAP);
    assert_types(profile, "alloc_objects/count alloc_space/bytes inuse_objects/count "
                          "inuse_space/bytes ");
    assert_string_equal(string_of(profile, profile->period_type->type), "space");
    assert_int_equal(profile->period, 1);
    assert_int_equal(profile->duration_nanos, 0);
    assert_int_equal(profile->time_nanos, START_NS + 2000000000);
    assert_int_equal(profile->n_sample, 4);

    static const int64_t first[] = {7, 700, 4, 400}, zero[] = {5, 0, 5, 0};
    assert_memory_equal(profile->sample[0]->value, first, sizeof first);
    assert_int_equal(label_number(profile, profile->sample[0], "bytes", "bytes"), 100);
    assert_memory_equal(profile->sample[2]->value, zero, sizeof zero);
    assert_int_equal(label_number(profile, profile->sample[2], "bytes", "bytes"), 0);

    /* two libraries at one address over time are two locations and mappings */
    assert_int_equal(profile->n_mapping, 3);
    assert_int_not_equal(profile->sample[0]->location_id[0], profile->sample[1]->location_id[0]);
    assert_int_equal(profile->sample[0]->location_id[1], profile->sample[1]->location_id[1]);
    const Perftools__Profiles__Mapping *library = profile->mapping[1];
    assert_int_equal(library->memory_start, LIB_START);
    assert_int_equal(library->memory_limit, LIB_START + 0x5000);
    assert_int_equal(library->file_offset, 0x2000);
    assert_string_equal(string_of(profile, library->filename), "/usr/lib/libone.so");
    assert_string_equal(string_of(profile, library->build_id), "dead01");

    /* the cut stack ends in a name, not at its last address */
    const Sample *cut = profile->sample[3];
    assert_int_equal(cut->n_location_id, 3);
    assert_int_equal(profile->location[cut->location_id[0] - 1]->mapping_id, 0);
    const Perftools__Profiles__Location *root = profile->location[cut->location_id[2] - 1];
    assert_int_equal(root->n_line, 1);
    assert_string_equal(string_of(profile, profile->function[root->line[0]->function_id - 1]->name),
                        "[truncated]");

    assert_true(has_comment(profile, "every allocation recorded"));
    assert_true(has_comment(profile, "command line: ./app --flag two words"));
    assert_true(has_comment(profile, "/opt/odd:na\xef\xbf\xbdme dir/app:1"));
    assert_true(has_comment(profile, "one more"));
    perftools__profiles__profile__free_unpacked(profile, NULL);
    fixture_drop();
}

static void heap_sampled(void **state)
{
    /* (count, bytes) -> Go's own scaled (objects, bytes) at rate 524288, for
     * counts of one size */
    static const struct {
        uint64_t count, size;
        int64_t objects, bytes;
    } rows[] = {{19, 4096, 2441, 10000434}, {35, 1024, 17937, 18368005}, {1, 24, 21845, 524300},
                {1, 2688, 195, 525633},     {2, 1000, 1049, 1049576},    {9, 1000, 4723, 4723093},
                {1, 524288, 1, 829411},     {1, 1048576, 1, 1212696}};

    fixture_ledger(524288, 64 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t frames[] = {FRAME(2, MAIN_START + 0x100 + i)};
        fixture_site(LEDGER_KIND_HEAP, rows[i].size, frames, 1, UNWIND_COMPLETE, rows[i].count, 0);
    }
    Profile *profile = encode(DUMP_HEAP);
    assert_int_equal(profile->period, 524288);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(profile->sample[i]->value[0], rows[i].objects);
        assert_int_equal(profile->sample[i]->value[1], rows[i].bytes);
        assert_int_equal(profile->sample[i]->value[2], rows[i].objects);
        assert_int_equal(profile->sample[i]->value[3], rows[i].bytes);
    }
    perftools__profiles__profile__free_unpacked(profile, NULL);
    fixture_drop();
}

static void heap_peak(void **state)
{
    fixture_ledger(1, 64 << 20);
    uint32_t site = fixture_site(LEDGER_KIND_HEAP, 10, two, 2, UNWIND_COMPLETE, 6, 6);
    struct ledger_counter *counter = ledger_counter(0, site);
    counter->peak = 5;
    counter->peak_epoch = ledger->heap_peak_epoch;
    Profile *profile = encode(DUMP_HEAPPEAK);
    assert_types(profile, "inuse_objects/count inuse_space/bytes ");
    assert_int_equal(profile->n_sample, 1);
    assert_int_equal(profile->sample[0]->value[0], 5);
    assert_int_equal(profile->sample[0]->value[1], 50);
    perftools__profiles__profile__free_unpacked(profile, NULL);
    fixture_drop();
}

static void cpu(void **state)
{
    fixture_ledger(1, 64 << 20);
    uint32_t thread = ledger_thread(4242, 0, "work\xc3\xa9r");
    fixture_site(LEDGER_KIND_CPU, thread, two, 2, UNWIND_COMPLETE, 12, 120000000);
    fixture_site(LEDGER_KIND_CPU, 0, two, 2, UNWIND_BROKEN, 1, 10000000);
    ledger_count(LEDGER_STAT_CPU_LOST, 3);
    Profile *profile = encode(DUMP_CPU);
    assert_types(profile, "samples/count cpu/nanoseconds ");
    assert_int_equal(profile->period, 10000000);
    assert_int_equal(profile->time_nanos, START_NS);
    assert_int_equal(profile->duration_nanos,
                     3000000000); /* the wall clock was set back by a second meanwhile */
    assert_int_equal(profile->n_sample, 3);
    assert_int_equal(profile->sample[0]->value[1], 120000000);
    assert_string_equal(label_string(profile, profile->sample[0], "thread"), "work\xc3\xa9r");
    assert_int_equal(label_number(profile, profile->sample[0], "tid", "id"), 4242);
    assert_int_equal(profile->sample[2]->value[0], 3);
    assert_int_equal(profile->sample[2]->value[1], 30000000);
    assert_true(has_comment(profile, "CPU samples lost: 3"));
    perftools__profiles__profile__free_unpacked(profile, NULL);
    fixture_drop();
}

static void other_profiles(void **state)
{
    fixture_ledger(1, 64 << 20);
    fixture_site(LEDGER_KIND_BLOCK, 1, two, 2, UNWIND_COMPLETE, 3 * 65536 + 40000, 777);
    fixture_site(LEDGER_KIND_MUTEX, 1, two, 2, UNWIND_COMPLETE, 65536, 55);
    fixture_site(LEDGER_KIND_THREADCREATE, 0, two, 2, UNWIND_COMPLETE, 4, 0);
    uint32_t alive = ledger_thread(10, 0, "alive"), ended = ledger_thread(11, 0, "ended");
    ledger_thread_get(ended)->end_ns = 1;
    ledger->walk = 1;
    ledger_thread_get(alive)->walk = 1;
    ledger_thread_get(alive)->walk_stack = ledger_stack(two, 2, UNWIND_COMPLETE);
    ledger_thread_get(ledger_thread(12, 0, "mute"))->asked = 1;
    ledger_thread(13, 0, "gone"); /* the request didn't come by it */

    Profile *profile = encode(DUMP_BLOCK);
    assert_types(profile, "contentions/count delay/nanoseconds ");
    assert_int_equal(profile->sample[0]->value[0], 4); /* rounded */
    assert_int_equal(profile->sample[0]->value[1], 777);
    perftools__profiles__profile__free_unpacked(profile, NULL);

    profile = encode(DUMP_MUTEX);
    assert_int_equal(profile->sample[0]->value[0], 1);
    assert_int_equal(profile->period, 1);
    perftools__profiles__profile__free_unpacked(profile, NULL);

    profile = encode(DUMP_THREADCREATE);
    assert_types(profile, "threadcreate/count ");
    assert_int_equal(profile->sample[0]->value[0], 4);
    perftools__profiles__profile__free_unpacked(profile, NULL);

    profile = encode(DUMP_THREADS);
    assert_types(profile, "goroutine/count ");
    assert_int_equal(profile->n_sample, 2);
    assert_string_equal(label_string(profile, profile->sample[0], "thread"), "alive");
    assert_int_equal(profile->sample[0]->n_location_id, 2);
    assert_int_equal(profile->sample[1]->n_location_id, 1); /* [no stack] */
    perftools__profiles__profile__free_unpacked(profile, NULL);
    fixture_drop();
}

static void empty_but_valid(void **state)
{
    fixture_ledger(524288, 64 << 20);
    struct ledger_view view;
    assert_null(ledger_view_open(&view, ledger, ledger->size));
    assert_int_equal(dump_present(&view), 0);
    for (int which = 0; which < DUMP_PROFILES; which++) {
        Profile *profile = encode((enum dump_profile)which);
        assert_int_equal(profile->n_sample, 0);
        assert_true(profile->n_sample_type > 0);
        perftools__profiles__profile__free_unpacked(profile, NULL);
    }
    fixture_site(LEDGER_KIND_CPU, 0, two, 2, UNWIND_COMPLETE, 1, 1);
    assert_int_equal(dump_present(&view), 1 << DUMP_CPU);
    fixture_drop();
}

/* More of everything than any first table size: hashes grow, buffers are flushed. */
static void large(void **state)
{
    enum { SITES = 60000, DEPTH = 40 };
    uint64_t frames[UNWIND_MAX_DEPTH], total = 0, found = 0;

    fixture_ledger(1, 1 << 30);
    for (uint64_t i = 0; i < SITES; i++) {
        for (uint64_t j = 0; j < DEPTH; j++)
            frames[j] = FRAME(2, MAIN_START + (i * 31 + j * j * 7) % 50000);
        fixture_site(LEDGER_KIND_HEAP, i, frames, DEPTH, UNWIND_COMPLETE, i, 0);
        total += i;
    }
    for (uint64_t j = 0; j < UNWIND_MAX_DEPTH; j++)
        frames[j] = FRAME(1, LIB_START + j);
    fixture_site(LEDGER_KIND_HEAP, 1, frames, UNWIND_MAX_DEPTH, UNWIND_TRUNCATED, 1, 0);
    Profile *profile = fixture_encode(DUMP_HEAP);
    assert_int_equal(profile->n_sample, SITES); /* the one of count 0 is left out */
    for (size_t i = 0; i < profile->n_sample; i++)
        found += (uint64_t)profile->sample[i]->value[0];
    assert_int_equal(found, total + 1);
    assert_int_equal(profile->sample[SITES - 1]->n_location_id, UNWIND_MAX_DEPTH + 1);
    assert_int_equal(profile->n_location, 50000 + UNWIND_MAX_DEPTH + 1);
    perftools__profiles__profile__free_unpacked(profile, NULL);
    fixture_drop();
}

/* A ledger cut short or scribbled over gives an error or a valid profile. */
static void damaged(void **state)
{
    struct ledger_view view;
    struct ledger_header *copy;
    uint64_t size = 1 << 20;

    fixture_ledger(1, 1 << 20);
    for (uint64_t i = 0; i < 200; i++)
        fixture_site(LEDGER_KIND_HEAP, i, two, 2, UNWIND_COMPLETE, 1, 0);
    assert_non_null(ledger_view_open(&view, ledger, 100));
    assert_non_null(ledger_view_open(&view, ledger, size / 2));
    size = ledger->size;
    memory_open_all(); /* for the copies */
    copy = malloc(size);
    srand(1);
    for (int round = 0; round < 200; round++) {
        memcpy(copy, ledger, size);
        for (int hit = 0; hit < 200; hit++) {
            unsigned section = (unsigned)rand() % LEDGER_COUNTERS;
            uint64_t used = ledger->sections[section].used;
            if (used)
                ((unsigned char *)
                     copy)[ledger->sections[section].offset + (uint64_t)rand() % used] =
                    (unsigned char)rand();
        }
        if (ledger_view_open(&view, copy, size))
            continue;
        struct ledger_header *kept = ledger;
        ledger = copy;
        Profile *profile = fixture_encode(DUMP_HEAP);
        perftools__profiles__profile__free_unpacked(profile, NULL);
        ledger = kept;
    }
    free(copy);
    fixture_drop();
}

static bool refuse_later(struct sink *sink, const void *bytes, size_t length)
{
    sink->error = -28; /* ENOSPC */
    return false;
}

static void sink_that_fails(void **state)
{
    struct sink sink = {.write = refuse_later};
    struct ledger_view view;
    struct dump_request request = {.view = &view, .profile = DUMP_HEAP};

    fixture_ledger(1, 64 << 20);
    assert_null(ledger_view_open(&view, ledger, ledger->size));
    assert_non_null(dump_encode(&request, &sink));
    assert_int_equal(sink.error, -28);
    fixture_drop();
}

static void utf8(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {{"plain", "plain"},
                {"\xc3\xa9", "\xc3\xa9"},
                {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
                {"a\xff", "a\xef\xbf\xbd"},
                {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
                {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
                {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
                {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"}}; /* cut */
    char out[64];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        string_table_sanitize(rows[i].in, strlen(rows[i].in), out, sizeof out);
        assert_string_equal(out, rows[i].out);
    }
    assert_int_equal(string_table_sanitize("ab\xc3\xa9", 4, out, 4), 2); /* no half character */
}

/* The command's output, or NULL (no such program): malloced. */
static char *output_of(const char *command)
{
    FILE *pipe = popen(command, "r");
    char *text = calloc(1, 65536);
    size_t length = fread(text, 1, 65535, pipe);

    text[length] = '\0';
    if (pclose(pipe) == 0)
        return text;
    free(text);
    return NULL;
}

static void go_reads_it(void **state)
{
    size_t size;
    FILE *file;

    if (system("command -v go >/dev/null 2>&1") != 0)
        skip();
    fixture_ledger(1, 64 << 20);
    fixture_site(LEDGER_KIND_HEAP, 100, two, 2, UNWIND_COMPLETE, 7, 3);
    fixture_site(LEDGER_KIND_HEAP, 64, jit, 2, UNWIND_TRUNCATED, 1, 0);
    void *bytes = fixture_encode_bytes(DUMP_HEAP, &size);
    file = fopen("test_encode.pb.gz", "w");
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    free(bytes);
    char *raw = output_of("HOME=. GOFLAGS= go tool pprof -raw test_encode.pb.gz 2>&1");
    assert_non_null(raw);
    assert_non_null(strstr(raw, "PeriodType: space bytes"));
    assert_non_null(strstr(raw, "inuse_space/bytes[dflt]"));
    assert_non_null(strstr(raw, "7        700          4        400: 1 2"));
    assert_non_null(strstr(raw, "bytes:[100"));
    assert_non_null(strstr(raw, "1: 0x555500001000/0x555500004000/0x1000 /opt/app"));
    assert_non_null(strstr(raw, "[truncated]"));
    free(raw);
    remove("test_encode.pb.gz");
    fixture_drop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_exact),      cmocka_unit_test(heap_sampled),
        cmocka_unit_test(heap_peak),       cmocka_unit_test(cpu),
        cmocka_unit_test(other_profiles),  cmocka_unit_test(empty_but_valid),
        cmocka_unit_test(large),           cmocka_unit_test(damaged),
        cmocka_unit_test(sink_that_fails), cmocka_unit_test(utf8),
        cmocka_unit_test(go_reads_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
