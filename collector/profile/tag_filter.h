/*
 * tagfocus, tagignore, tagshow, taghide: samples picked by their labels. Part of
 * profile_apply_filter(), which is what callers use.
 */
#ifndef COLLECTOR_PROFILE_TAG_FILTER_H
#define COLLECTOR_PROFILE_TAG_FILTER_H

#include "profile/profile_ops.h"

struct tag_filter;

/* text NULL or "": *out stays NULL, true. p outlives the filter. */
bool tag_filter_compile(struct tag_filter **out, const char *name, const char *text,
                        const struct profile *p, profile_notice_fn *notice, void *arg,
                        struct error *err);
bool tag_filter_matches(const struct tag_filter *f, const struct profile_sample *s);
void tag_filter_free(struct tag_filter *f);

/* In place: keeps the labels whose key matches show (if given) and not hide. */
bool tag_filter_keys(struct profile *p, const char *show, const char *hide,
                     profile_notice_fn *notice, void *arg, struct error *err);

#endif
