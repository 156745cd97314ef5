/* CPython's strings and tables of lines: known ones, and bytes that are none. */
#include "interp/python_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Line 10 for two units; +1, no columns, for one; none for one; one-line form +2 for three. */
static const unsigned char table[] = {
    0x80 | 0 << 3 | 1,  0x00,                   /* short form: a byte of columns */
    0x80 | 13 << 3 | 0, 0x02,                   /* signed 1 */
    0x80 | 15 << 3 | 0,                         /* no location */
    0x80 | 12 << 3 | 2, 0x01, 0x02,             /* +2, two columns */
    0x80 | 14 << 3 | 0, 0x09, 0x00, 0x01, 0x01, /* long form, signed -4 */
};

static void test_lines(void **state)
{
    static const struct {
        unsigned offset, line;
    } expected[] = {{0, 10}, {2, 10}, {4, 11}, {6, 0}, {8, 13}, {12, 13}, {14, 9}, {16, 0}};
    for (size_t n = 0; n < sizeof expected / sizeof *expected; n++)
        assert_int_equal(python_line(table, sizeof table, 10, expected[n].offset),
                         expected[n].line);
}

static void test_random_tables_end(void **state)
{
    unsigned char bytes[64];
    srand(1);
    for (int round = 0; round < 200000; round++) {
        size_t size = (size_t)rand() % sizeof bytes;
        for (size_t n = 0; n < size; n++)
            bytes[n] = (unsigned char)(rand() | (rand() % 2 ? 0x80 : 0));
        python_line(bytes, size, (unsigned)rand(), (uint64_t)rand() % 300);
    }
}

/* An object as 3.12 has it: reference count, type, length, hash, state, then the letters. */
static size_t put_text(unsigned char *object, unsigned kind, bool ascii, const void *letters,
                       int64_t length)
{
    const struct python_layout *layout = python_layout_find(0x030c);
    uint32_t bits = kind << 2 | 1u << 5 | (unsigned)ascii << 6;
    memcpy(object + 16, &length, sizeof length);
    memcpy(object + 32, &bits, sizeof bits);
    size_t at = ascii ? layout->text_ascii : layout->text_compact;
    memcpy(object + at, letters, (size_t)length * kind);
    return at;
}

static void check_text(unsigned kind, bool ascii, const void *letters, int64_t length,
                       const char *expected)
{
    unsigned char object[256] = {0};
    put_text(object, kind, ascii, letters, length);
    char *text =
        python_text_read(getpid(), python_layout_find(0x030c), (uint64_t)(uintptr_t)object);
    assert_string_equal(text, expected);
    free(text);
}

static void test_texts(void **state)
{
    const uint16_t two[] = {0x20ac, 'x'};
    const uint32_t four[] = {0x1f600, 0xe9};
    check_text(1, true, "parse", 5, "parse");
    check_text(1, true, "", 0, "");
    check_text(1, false, "h\xe9llo", 5, "h\xc3\xa9llo");
    check_text(2, false, two, 2, "\xe2\x82\xacx");
    check_text(4, false, four, 2, "\xf0\x9f\x98\x80\xc3\xa9");
}

static void test_what_is_no_text(void **state)
{
    unsigned char object[256] = {0};
    const struct python_layout *layout = python_layout_find(0x030c);
    put_text(object, 1, true, "parse", 5);
    int64_t lengths[] = {-1, 1 << 20, INT64_MAX};
    for (size_t n = 0; n < 3; n++) {
        memcpy(object + 16, &lengths[n], sizeof lengths[n]);
        assert_null(python_text_read(getpid(), layout, (uint64_t)(uintptr_t)object));
    }
    assert_null(python_text_read(getpid(), layout, 0));
    assert_null(python_text_read(getpid(), layout, 16));
    size_t size;
    assert_null(python_bytes_read(getpid(), 16, &size));
    srand(2);
    for (int round = 0; round < 20000; round++) {
        for (size_t n = 0; n < sizeof object; n++)
            object[n] = (unsigned char)rand();
        free(python_text_read(getpid(), layout, (uint64_t)(uintptr_t)object));
    }
}

static void test_versions(void **state)
{
    assert_non_null(python_layout_find(0x030b));
    assert_non_null(python_layout_find(0x030d));
    assert_null(python_layout_find(0x0309));
    assert_null(python_layout_find(0x0400));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_random_tables_end),
        cmocka_unit_test(test_texts),    cmocka_unit_test(test_what_is_no_text),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
