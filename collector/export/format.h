/*
 * What every format is, and what the formats share. Their list is in export.h.
 */
#ifndef COLLECTOR_EXPORT_FORMAT_H
#define COLLECTOR_EXPORT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "export/writer.h"
#include "profile/profile.h"

struct export_options {
    int type;          /* index of the sample type asked for; valid */
    const char *title; /* NULL: made from the program's name and the type */
};

/* False with *err if the format cannot hold this profile; what *out holds then is
 * to be thrown away. */
typedef bool export_write_fn(struct writer *out, const struct profile *p,
                             const struct export_options *options, struct error *err);

/* Does the sample belong to what a comparison compares with? */
bool export_is_base(const struct profile_sample *s);
/* Does the profile hold such samples? */
bool export_is_diff(const struct profile *p);
/* Fails with a clear line if a value is negative: of one type, or of all (-1). */
bool export_check_positive(const struct profile *p, int type, const char *format,
                           struct error *err);
/* a + b, stopping at the ends of the range. */
int64_t export_add(int64_t a, int64_t b);
/* Sum of a type's values; base or not, as asked. Base values come out positive. */
int64_t export_total(const struct profile *p, int type, bool base);

/* Heading for people; the caller frees it. */
char *export_title(const struct profile *p, const struct export_options *options);

/* The formats. */
export_write_fn callgrind_write, chrome_write, firefox_write, folded_write, html_write, pb_write,
    speedscope_write, svg_write, text_write;

#endif
