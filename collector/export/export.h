/*
 * Profiles for other tools: one format, one function from a profile to text.
 *
 * The profile an export is given is merged, symbolized, pruned and filtered; it
 * stays as it is. A comparison is a profile from profile_subtract(..., diff = true):
 * the samples labelled pprof::base=true are those before, negated.
 */
#ifndef COLLECTOR_EXPORT_EXPORT_H
#define COLLECTOR_EXPORT_EXPORT_H

#include "export/format.h"

struct export_format {
    const char *name;    /* for --to */
    const char *purpose; /* a few words for people */
    export_write_fn *write;
};

/* The formats, ended by one without a name. */
extern const struct export_format export_formats[];

/* NULL with *err that lists the names. */
const struct export_format *export_find_format(const char *name, struct error *err);

#endif
