/* UTF-8 for strings that come from anywhere: file names and symbols may hold any byte. */
#ifndef COLLECTOR_BASE_UTF8_H
#define COLLECTOR_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the well-formed character at s (RFC 3629: no overlong forms, no
 * surrogates, at most U+10FFFF), 0 if it is ill-formed. s[0] may be NUL: 1. */
size_t utf8_char_length(const char *s);
bool utf8_is_valid(const char *s);
/* malloc'ed copy with U+FFFD for each ill-formed byte. */
char *utf8_sanitize(const char *s);

#endif
