/* Merging, subtracting, scaling, filtering. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profile/profile_ops.h"
#include "profile/unit.h"

/* The vectors Go's own scaling was seen to give at rate 524288. */
static const int64_t heap_vectors[][4] = {
    {19, 77824, 2441, 10000434}, {35, 35840, 17937, 18368005}, {1, 24, 21845, 524300},
    {1, 2688, 195, 525633},      {2, 2000, 1049, 1049576},     {9, 9000, 4723, 4723093},
    {1, 524288, 1, 829411},      {1, 1048576, 1, 1212696},
};

static void scales_heap_as_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(heap_vectors) / sizeof(*heap_vectors); i++) {
        int64_t count = heap_vectors[i][0], size = heap_vectors[i][1];
        profile_scale_heap(&count, &size, 524288);
        assert_int_equal(count, heap_vectors[i][2]);
        assert_int_equal(size, heap_vectors[i][3]);
    }
    int64_t count = 5, size = 100;
    profile_scale_heap(&count, &size, 1);
    assert_int_equal(count, 5);
    count = 0;
    profile_scale_heap(&count, &size, 524288);
    assert_int_equal(size, 0);
}

static void finds_raw_heap_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(heap_vectors) / sizeof(*heap_vectors); i++)
        for (int labelled = 0; labelled < 2; labelled++) {
            int64_t count = heap_vectors[i][2], size = heap_vectors[i][3];
            int64_t block = heap_vectors[i][1] / heap_vectors[i][0];
            profile_unscale_heap(&count, &size, labelled ? block : 0, 524288);
            profile_scale_heap(&count, &size, 524288);
            assert_int_equal(count, heap_vectors[i][2]);
            assert_int_equal(size, heap_vectors[i][3]);
        }
}

/* main -> work (-> leaf, inlined), the program loaded at `start`. */
static struct profile *make(uint64_t start, int64_t leaf, int64_t work)
{
    struct profile *p = profile_new();
    profile_add_sample_type(p, "samples", "count");
    profile_add_sample_type(p, "cpu", "nanoseconds");
    p->period_type.type = profile_intern(p, "cpu");
    p->period_type.unit = profile_intern(p, "nanoseconds");
    struct profile_mapping *m = profile_add_mapping(p);
    m->start = start;
    m->limit = start + 0x1000;
    m->file = profile_intern(p, "/bin/app");
    m->build_id = profile_intern(p, "abcd");
    struct profile_function *f_main = profile_add_function(p, "main", "main", "app.c", 1);
    struct profile_function *f_work = profile_add_function(p, "work", "work", "app.c", 9);
    struct profile_function *f_leaf = profile_add_function(p, "leaf", "leaf", "leaf.h", 3);
    struct profile_location *in_main = profile_add_location(p, m, start + 0x10, 1);
    struct profile_location *in_work = profile_add_location(p, m, start + 0x20, 1);
    struct profile_location *in_leaf = profile_add_location(p, m, start + 0x30, 2);
    in_main->lines[0].function = f_main;
    in_work->lines[0].function = f_work;
    in_leaf->lines[0].function = f_leaf;
    in_leaf->lines[1].function = f_work;
    const int64_t values[] = {leaf, work};
    for (int i = 0; i < 2; i++) {
        struct profile_sample *s = profile_add_sample(p, 2, 1);
        s->locations[0] = i ? in_work : in_leaf;
        s->locations[1] = in_main;
        s->values[0] = values[i];
        s->values[1] = values[i] * 10000000;
        s->labels[0].key = profile_intern(p, "bytes");
        s->labels[0].num = i ? 2048 : 64;
    }
    return p;
}

static void adds_up_moved_runs(void **state)
{
    (void)state;
    struct error err;
    struct profile *in[] = {make(0x1000, 3, 5), make(0x7f0000, 10, 20)};
    struct profile *p = profile_merge(in, 2, &err);
    assert_non_null(p);
    assert_int_equal(p->n_samples, 2);
    assert_int_equal(p->n_mappings, 1);
    assert_int_equal(p->n_locations, 3);
    assert_int_equal(p->n_functions, 3);
    assert_int_equal(p->samples[0]->values[0], 13);
    assert_int_equal(p->samples[1]->values[1], 250000000);
    assert_true(profile_check(p, &err));
    profile_free(p);
    /* Labels are part of what a sample is. */
    in[1]->samples[0]->labels[0].num = 65;
    p = profile_merge(in, 2, &err);
    assert_int_equal(p->n_samples, 3);
    profile_free(p);
    profile_free(in[0]);
    profile_free(in[1]);
}

static void refuses_other_types(void **state)
{
    (void)state;
    struct error err;
    struct profile *in[] = {make(0x1000, 1, 1), make(0x1000, 1, 1)};
    in[1]->sample_types[1].type = profile_intern(in[1], "delay");
    assert_null(profile_merge(in, 2, &err));
    assert_non_null(strstr(err.text, "incompatible sample types"));
    in[1]->period_type.type = profile_intern(in[1], "space");
    assert_null(profile_merge(in, 2, &err));
    assert_non_null(strstr(err.text, "incompatible period types"));
    profile_free(in[0]);
    profile_free(in[1]);
}

static void converts_units(void **state)
{
    (void)state;
    struct error err;
    struct profile *in[] = {make(0x1000, 1, 1), make(0x1000, 2, 2)};
    in[1]->sample_types[1].unit = profile_intern(in[1], "milliseconds");
    for (size_t i = 0; i < in[1]->n_samples; i++)
        in[1]->samples[i]->values[1] /= 1000000;
    struct profile *p = profile_merge(in, 2, &err);
    assert_string_equal(p->sample_types[1].unit, "nanoseconds");
    assert_int_equal(p->samples[0]->values[1], 30000000);
    profile_free(p);
    profile_free(in[0]);
    profile_free(in[1]);
}

static void cancels_what_is_equal(void **state)
{
    (void)state;
    struct error err;
    struct profile *a = make(0x1000, 3, 5), *b = make(0x5000, 3, 4);
    struct profile *p = profile_subtract(a, b, false, &err);
    assert_int_equal(p->n_samples, 1);
    assert_int_equal(p->samples[0]->values[0], 1);
    assert_int_equal(p->n_functions, 2); /* leaf's are gone with its sample */
    profile_free(p);
    p = profile_subtract(a, b, true, &err);
    assert_int_equal(p->n_samples, 4);
    assert_string_equal(profile_find_label(p->samples[2], "pprof::base")->str, "true");
    assert_int_equal(p->samples[2]->values[0], -3);
    profile_free(p);
    profile_free(a);
    profile_free(b);
}

static void ignore(void *arg, const char *text)
{
    (void)text;
    ++*(int *)arg;
}

static size_t samples_left(const struct profile_filter *f, int *notices)
{
    struct error err;
    struct profile *p = make(0x1000, 3, 5);
    *notices = 0;
    assert_true(profile_apply_filter(p, f, ignore, notices, &err));
    size_t n = p->n_samples;
    profile_free(p);
    return n;
}

static void filters_samples(void **state)
{
    (void)state;
    int notices;
    assert_int_equal(samples_left(&(struct profile_filter){.focus = "^leaf$"}, &notices), 1);
    assert_int_equal(samples_left(&(struct profile_filter){.ignore = "leaf\\.h"}, &notices), 1);
    assert_int_equal(samples_left(&(struct profile_filter){.focus = "/bin/app"}, &notices), 2);
    assert_int_equal(samples_left(&(struct profile_filter){.hide = "."}, &notices), 0);
    assert_int_equal(samples_left(&(struct profile_filter){.focus = "nothing"}, &notices), 0);
    assert_int_equal(notices, 1);
    assert_int_equal(samples_left(&(struct profile_filter){.tagfocus = "1kb:"}, &notices), 1);
    assert_int_equal(samples_left(&(struct profile_filter){.tagfocus = "bytes=:64b"}, &notices), 1);
    assert_int_equal(samples_left(&(struct profile_filter){.tagignore = "64b:2kb"}, &notices), 0);
    struct error err;
    struct profile *p = make(0x1000, 1, 1);
    assert_false(
        profile_apply_filter(p, &(struct profile_filter){.show = "("}, ignore, &notices, &err));
    assert_non_null(strstr(err.text, "parsing show regexp"));
    profile_free(p);
}

static void drops_frames(void **state)
{
    (void)state;
    struct error err;
    struct profile *p = make(0x1000, 3, 5);
    p->drop_frames = profile_intern(p, "leaf|main");
    assert_true(profile_prune(p, &err));
    /* leaf goes; main is the outermost frame and stays. */
    assert_int_equal(p->samples[0]->n_locations, 2);
    assert_int_equal(p->samples[0]->locations[0]->n_lines, 1);
    assert_string_equal(p->samples[0]->locations[0]->lines[0].function->name, "work");
    assert_int_equal(p->samples[1]->n_locations, 2);
    profile_free(p);
}

static void formats_values(void **state)
{
    (void)state;
    char buf[UNIT_TEXT];
    assert_string_equal(unit_format(buf, 0, "bytes", "MB"), "0");
    assert_string_equal(unit_format(buf, 1536, "bytes", "auto"), "1.50kB");
    assert_string_equal(unit_format(buf, -2097152, "bytes", "minimum"), "-2MB");
    assert_string_equal(unit_format(buf, 90000000000, "nanoseconds", "auto"), "90s");
    assert_string_equal(unit_format(buf, 17, "count", "auto"), "17");
    assert_string_equal(unit_format(buf, 5, "widgets", "auto"), "5");
    assert_string_equal(unit_percent(buf, 1, 3), "33.33%");
    assert_string_equal(unit_percent(buf, 1, 1000), "  0.1%");
    assert_string_equal(unit_percent(buf, 99999, 100000), "  100%");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_heap_as_go),  cmocka_unit_test(finds_raw_heap_values),
        cmocka_unit_test(adds_up_moved_runs), cmocka_unit_test(refuses_other_types),
        cmocka_unit_test(converts_units),     cmocka_unit_test(cancels_what_is_equal),
        cmocka_unit_test(filters_samples),    cmocka_unit_test(drops_frames),
        cmocka_unit_test(formats_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
