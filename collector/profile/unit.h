/*
 * Units of values, and how values are written for people: the rules of
 * `go tool pprof`, whose text reports ours equal to the letter.
 */
#ifndef COLLECTOR_PROFILE_UNIT_H
#define COLLECTOR_PROFILE_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Long enough for every number unit_format() makes, whatever the unit is. */
#define UNIT_TEXT 64

/* value in unit `from` as a number of *out_unit: `to`, or the unit that suits the
 * value best for "auto" and "minimum". *out_unit is "" for plain counts; it points
 * to static memory or to `to`. */
double unit_scale(int64_t value, const char *from, const char *to, const char **out_unit);

/* "1.50MB", "0": two decimals, none if they are zero. Returns buf. */
char *unit_format(char buf[UNIT_TEXT], int64_t value, const char *from, const char *to);

/* "  100%", "12.50%", " 0.25%": of the absolute ratio, at least six characters. */
char *unit_percent(char buf[UNIT_TEXT], int64_t value, int64_t total);

/* Are both units of one kind (time, memory), or equal? */
bool unit_compatible(const char *a, const char *b);

#endif
