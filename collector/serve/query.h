/*
 * Query strings and form bodies (a=1&b=x%20y), read as Go's net/url does: the
 * first value of a name counts, a pair with a bad escape or a semicolon is
 * skipped. Fuzzed.
 */
#ifndef COLLECTOR_SERVE_QUERY_H
#define COLLECTOR_SERVE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first value of name, decoded: malloc'ed; NULL when there is none. */
char *query_value(const char *query, const char *name);

/* Takes %XX (and + for a blank if plus) out of length bytes at text, in place, and
 * ends them with a NUL. False: a bad escape, or one that stands for NUL. */
bool query_unescape(char *text, size_t length, bool plus);

/* A decimal number with an optional sign as Go's strconv takes it; false for
 * anything else, also beyond 64 bits. */
bool query_integer(const char *text, int64_t *value);

/* The next address of "0x1234+5678": decimal, 0x, 0b, 0 (octal), or 0 for a word that
 * is no number. *text moves behind it; false at the end. */
bool query_address(const char **text, uint64_t *address);

#endif
