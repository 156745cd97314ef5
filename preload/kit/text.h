/*
 * Building a line of text in a caller's buffer without libc: no stdio, no
 * locale, no thread-local storage, no allocation. What the log, the names of
 * files and the comments of profiles are made with.
 *
 * Context: AS-safe, anywhere.
 */
#ifndef LIBPROF_KIT_TEXT_H
#define LIBPROF_KIT_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What doesn't fit is cut and remembered; the buffer is NUL-terminated always. */
struct text {
    char *start;
    size_t length, size; /* bytes; length < size, without the NUL */
    bool cut;
};

/* size: bytes of buffer, at least 1. The text borrows the buffer. */
void text_init(struct text *text, char *buffer, size_t size);

/* Appends: bytes as they are; a string without its NUL; a number in a base of 2 to 16, with zeros
 * in front up to min_digits. */
void text_bytes(struct text *text, const char *bytes, size_t length);
void text_string(struct text *text, const char *string);
void text_number(struct text *text, uint64_t number, unsigned base, unsigned min_digits);

/*
 * printf's subset: %s %c %d %u %x with the lengths l, ll and z, a zero-padded
 * width (%04u) and %%. Anything else is copied as it stands.
 */
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_format_list(struct text *text, const char *format, va_list args);

/* Bytes before the first of `stops` or the end: strcspn(3) without the tables and vector
 * registers of libc's, which a process that is being started would meet for the first time. */
size_t text_until(const char *string, const char *stops);

/* Lower-case hexadecimal. */
void text_hex(struct text *text, const uint8_t *bytes, size_t length);

#endif
