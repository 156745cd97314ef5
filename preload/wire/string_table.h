/*
 * The profile's string table: every string once, valid UTF-8, index 0 is "".
 * Written into the stream at first use (formats: order of fields is free).
 *
 * Context: dump context.
 */
#ifndef LIBPROF_WIRE_STRING_TABLE_H
#define LIBPROF_WIRE_STRING_TABLE_H

#include "wire/stream.h"
#include <stdint.h>

/* Longer strings are cut: a path is at most PATH_MAX, the rest is for people. */
#define STRINGS_LONGEST 8192

struct string_table {
    struct arena *arena;
    struct stream *stream;
    struct string_entry *slots; /* power of two of them, at most half full */
    uint32_t size, count;
    bool failed;
};

/* Enters "" as index 0. */
void string_table_init(struct string_table *strings, struct arena *arena, struct stream *stream);

/* The string's index. Bytes that are not UTF-8 become U+FFFD. 0 after a
 * failure, which `failed` keeps. text is read once and copied. */
int64_t string_table_enter(struct string_table *strings, const char *text, size_t length);
int64_t string_table_literal(struct string_table *strings, const char *text);

/* Copies length bytes to out (size bytes, at least 1) as valid UTF-8 without NUL,
 * NUL-terminated, cut at a whole character. Returns the length written. */
size_t string_table_sanitize(const char *text, size_t length, char *out, size_t size);

#endif
