/* Reading and writing: packed or not, fields in any order, and everything that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "profile/profile_io.h"
#include "proto.h"

enum packing { PACKED, UNPACKED, MIXED };

/* Strings: 0 "", 1 samples, 2 count, 3 main, 4 /app, 5 thread. */
static void put_strings(struct proto *p)
{
    static const char *const strings[] = {"", "samples", "count", "main", "/app", "thread"};
    for (size_t i = 0; i < 6; i++)
        put_string(p, 6, strings[i]);
}

static void put_sample_type(struct proto *p)
{
    struct proto type = {.size = 0};
    put_number(&type, 1, 1);
    put_number(&type, 2, 2);
    put_message(p, 1, &type);
}

/* Three locations, one value of -7, and a label. */
static void put_sample(struct proto *p, enum packing packing)
{
    struct proto sample = {.size = 0}, label = {.size = 0};
    const uint64_t ids[] = {7, 9, 7}, value = (uint64_t)-7;
    if (packing == PACKED) {
        put_packed(&sample, 1, ids, 3);
        put_packed(&sample, 2, &value, 1);
    } else if (packing == UNPACKED) {
        for (int i = 0; i < 3; i++)
            put_number(&sample, 1, ids[i]);
        put_number(&sample, 2, value);
    } else {
        put_number(&sample, 1, ids[0]);
        put_packed(&sample, 1, ids + 1, 2);
        put_number(&sample, 2, value);
    }
    put_number(&label, 1, 5);
    put_number(&label, 2, 3);
    put_message(&sample, 3, &label);
    put_message(p, 2, &sample);
}

static void put_location(struct proto *p, uint64_t id, uint64_t address)
{
    struct proto location = {.size = 0}, line = {.size = 0};
    put_number(&location, 1, id);
    put_number(&location, 2, 3);
    put_number(&location, 3, address);
    put_number(&line, 1, 5);
    put_number(&line, 2, 42);
    put_message(&location, 4, &line);
    put_message(p, 4, &location);
}

static void put_rest(struct proto *p)
{
    struct proto mapping = {.size = 0}, function = {.size = 0};
    put_location(p, 9, 0x1234);
    put_location(p, 7, 0x1000);
    put_number(&mapping, 1, 3);
    put_number(&mapping, 2, 0x1000);
    put_number(&mapping, 3, 0x2000);
    put_number(&mapping, 5, 4);
    put_message(p, 3, &mapping);
    put_number(&function, 1, 5);
    put_number(&function, 2, 3);
    put_message(p, 5, &function);
    put_number(p, 9, 1700000000000000000);
}

/* Strings come last, as Go writes them: references go forward. */
static struct proto whole_profile(enum packing packing)
{
    struct proto p = {.size = 0};
    put_sample_type(&p);
    put_sample(&p, packing);
    put_rest(&p);
    put_strings(&p);
    return p;
}

static void reads_every_packing(void **state)
{
    (void)state;
    for (enum packing packing = PACKED; packing <= MIXED; packing++) {
        struct proto raw = whole_profile(packing);
        struct error err;
        struct profile *p = profile_read_memory(raw.data, raw.size, &err);
        assert_non_null(p);
        assert_int_equal(p->n_samples, 1);
        const struct profile_sample *s = p->samples[0];
        assert_int_equal(s->n_locations, 3);
        assert_int_equal(s->locations[0]->address, 0x1000);
        assert_int_equal(s->locations[1]->address, 0x1234);
        assert_ptr_equal(s->locations[2], s->locations[0]);
        assert_int_equal(s->values[0], -7);
        assert_string_equal(profile_find_label(s, "thread")->str, "main");
        assert_string_equal(s->locations[0]->mapping->file, "/app");
        assert_string_equal(s->locations[0]->lines[0].function->name, "main");
        assert_int_equal(s->locations[0]->lines[0].line, 42);
        profile_free(p);
    }
}

static void survives_writing(void **state)
{
    (void)state;
    struct proto raw = whole_profile(MIXED);
    struct error err;
    struct profile *p = profile_read_memory(raw.data, raw.size, &err), *again;
    unsigned char *data;
    size_t size;
    /* Bytes that are no UTF-8 have to come out as something every reader takes. */
    p->functions[0]->name = profile_intern(p, "bad\xff"
                                              "name");
    assert_true(profile_encode(p, true, &data, &size, &err));
    assert_int_equal(data[0], 0x1f);
    again = profile_read_memory(data, size, &err);
    assert_non_null(again);
    assert_string_equal(again->functions[0]->name, "bad\xef\xbf\xbdname");
    assert_int_equal(again->samples[0]->values[0], -7);
    assert_int_equal(again->time_nanos, 1700000000000000000);
    assert_int_equal(again->locations[0]->id, 1);
    free(data);
    profile_free(p);
    profile_free(again);
}

static void expect_error(const void *data, size_t size, const char *text)
{
    struct error err = {.text = ""};
    struct profile *p = profile_read_memory(data, size, &err);
    if (p || !strstr(err.text, text))
        fail_msg("expected an error with '%s', got '%s'", text, p ? "a profile" : err.text);
    assert_null(strchr(err.text, '\n'));
}

static void refuses_broken_rules(void **state)
{
    (void)state;
    struct proto p = {.size = 0}, sample = {.size = 0};
    expect_error("", 0, "empty");
    expect_error("hello world, no profile", 23, "unrecognized profile format");

    put_sample_type(&p);
    put_strings(&p);
    put_number(&sample, 2, 1);
    put_number(&sample, 2, 2);
    put_message(&p, 2, &sample);
    expect_error(p.data, p.size, "mismatch: sample has 2 values vs. 1 types");

    p.size = sample.size = 0;
    put_sample_type(&p);
    put_strings(&p);
    put_number(&sample, 1, 77);
    put_number(&sample, 2, 1);
    put_message(&p, 2, &sample);
    expect_error(p.data, p.size, "nil location");

    p.size = 0;
    put_sample_type(&p);
    put_string(&p, 6, "not empty");
    expect_error(p.data, p.size, "first item in string table");

    p.size = 0;
    put_sample_type(&p); /* refers to string 1 */
    put_string(&p, 6, "");
    expect_error(p.data, p.size, "string index");
}

static void refuses_bad_ids(void **state)
{
    (void)state;
    struct proto p = whole_profile(PACKED), zero = {.size = 0};
    put_location(&p, 9, 0x9999);
    expect_error(p.data, p.size, "multiple locations with same id: 9");
    p = whole_profile(PACKED);
    put_message(&p, 3, &zero);
    expect_error(p.data, p.size, "mapping with reserved ID=0");
}

static void refuses_damage(void **state)
{
    (void)state;
    struct proto p = whole_profile(PACKED);
    expect_error(p.data, p.size - 3, "truncated");
    struct proto twice = p;
    memcpy(twice.data + twice.size, p.data, p.size);
    twice.size += p.size;
    expect_error(twice.data, twice.size, "concatenated");
    /* A length of 2^62 must not be believed. */
    struct proto absurd = {.size = 0};
    put_varint(&absurd, 2 << 3 | 2);
    put_varint(&absurd, (uint64_t)1 << 62);
    expect_error(absurd.data, absurd.size, "claims 4611686018427387904 bytes");
}

static void refuses_damaged_gzip(void **state)
{
    (void)state;
    struct proto raw = whole_profile(PACKED);
    struct error err;
    struct profile *p = profile_read_memory(raw.data, raw.size, &err);
    unsigned char *data;
    size_t size;
    assert_true(profile_encode(p, true, &data, &size, &err));
    profile_free(p);
    for (size_t cut = 2; cut < size; cut++)
        expect_error(data, cut, "truncated");
    data[size / 2] ^= 0x55;
    assert_null(profile_read_memory(data, size, &err));
    free(data);
}

/* No input of any kind may crash it: run under ASan this is a small fuzzer. */
static void survives_flipped_bits(void **state)
{
    (void)state;
    const struct proto good = whole_profile(MIXED);
    for (size_t bit = 0; bit < good.size * 8; bit++) {
        struct proto p = good;
        struct error err;
        p.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        profile_free(profile_read_memory(p.data, p.size, &err));
    }
}

static void leaves_no_half_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/prof-read-XXXXXX", path[64];
    struct error err;
    struct profile *p = profile_new();
    profile_add_sample_type(p, "samples", "count");
    assert_non_null(mkdtemp(dir));
    assert_false(profile_write_file(p, dir, &err));
    assert_string_equal(err.text, "is a directory");
    snprintf(path, sizeof(path), "%s/none/x.pb.gz", dir);
    assert_false(profile_write_file(p, path, &err));
    snprintf(path, sizeof(path), "%s/x.pb.gz", dir);
    assert_true(profile_write_file(p, path, &err));
    assert_null(profile_read_file(dir, &err));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0); /* nothing else is in it */
    profile_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_packing),   cmocka_unit_test(survives_writing),
        cmocka_unit_test(refuses_broken_rules),  cmocka_unit_test(refuses_bad_ids),
        cmocka_unit_test(refuses_damage),        cmocka_unit_test(refuses_damaged_gzip),
        cmocka_unit_test(survives_flipped_bits), cmocka_unit_test(leaves_no_half_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
