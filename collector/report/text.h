/*
 * Go's text profiles: what net/http/pprof answers to ?debug=1 and ?debug=2. The
 * debug=1 forms can be read back, by `go tool pprof` too, with the same values.
 */
#ifndef COLLECTOR_REPORT_TEXT_H
#define COLLECTOR_REPORT_TEXT_H

#include <stdio.h>

#include "profile/profile.h"

struct text_options {
    /* Where the physical function of each location starts (run-time), by location
     * id - 1; 0 or no array: unknown, the offset is left out. */
    const uint64_t *entries;
    bool memory_map; /* add the mappings, so that the text can be symbolized */
};

/* The form follows from the sample types: heap, contention (block and mutex), or
 * counts. name is what the profile is called ("threads"), for counts and to tell
 * mutex from block; NULL: found in the sample types. */
void text_print_debug1(const struct profile *p, const char *name, const struct text_options *o,
                       FILE *out);

/* A thread after the other, as a Go traceback; for people. */
void text_print_debug2(const struct profile *p, const struct text_options *o, FILE *out);

#endif
