/*
 * Regular expressions as pprof's users write them (RE2's syntax is a subset of
 * Perl's, which PCRE2 knows), unanchored. Bounded: a pathological expression gives
 * up on a name rather than hang.
 */
#ifndef COLLECTOR_BASE_REGEX_H
#define COLLECTOR_BASE_REGEX_H

#include <stdbool.h>

#include "base/error.h"

struct regex;

/* NULL with *err ("parsing focus regexp: ..."); what names the option. */
struct regex *regex_compile(const char *what, const char *pattern, struct error *err);
bool regex_matches(const struct regex *rx, const char *text);
/* NULL is fine. */
void regex_free(struct regex *rx);

#endif
