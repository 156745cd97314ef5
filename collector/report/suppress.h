/*
 * Suppression files in LeakSanitizer's syntax: lines `leak:PATTERN`, '#' comments.
 * PATTERN is looked for in function names, source files and module names; `*`
 * stands for anything, `^` and `$` for the ends.
 */
#ifndef COLLECTOR_REPORT_SUPPRESS_H
#define COLLECTOR_REPORT_SUPPRESS_H

#include "profile/profile.h"

struct suppression {
    char *pattern;
    int64_t objects, bytes; /* what it hid; counted by the caller */
};

struct suppressions {
    struct suppression *list;
    size_t n, cap;
};

/* False with *err that names the line. */
bool suppressions_read(struct suppressions *s, const char *path, struct error *err);
void suppressions_free(struct suppressions *s);
/* The first suppression that matches a frame of the sample, or NULL. */
struct suppression *suppressions_find(struct suppressions *s, const struct profile_sample *sample);

#endif
