/*
 * What can be done to whole profiles: merging, comparing, filtering, scaling,
 * aggregating. The meaning of each is that of `go tool pprof`, so that numbers
 * agree; where it is not obvious it is said here.
 *
 * Functions that say "in place" change the profile they are given; the others
 * return a new one and leave their arguments alone.
 */
#ifndef COLLECTOR_PROFILE_PROFILE_OPS_H
#define COLLECTOR_PROFILE_PROFILE_OPS_H

#include "profile/profile.h"

/*
 * The sum of n >= 1 profiles. Samples are the same when their stacks and labels
 * are; locations are when their address relative to the mapping, lines and mapping
 * are; mappings when size, file offset and build id (else file name) are: runs of
 * one program under address randomisation add up. Samples that sum to zero vanish,
 * and so does what no sample refers to. Period type and sample types must agree in
 * type; units are converted to the finest. Merging one profile compacts it.
 */
struct profile *profile_merge(struct profile *const *in, size_t n, struct error *err);

/* An independent copy of all of it. */
struct profile *profile_copy(const struct profile *p);

/* p - base, as a new profile. diff: base's samples carry the label
 * pprof::base=true, so that they stay apart and percentages are of base's total. */
struct profile *profile_subtract(const struct profile *p, const struct profile *base, bool diff,
                                 struct error *err);

/* In place: multiplies all values, rounding to nearest; drops samples left zero. */
void profile_scale(struct profile *p, double factor);
/* In place: one factor for each sample type. */
void profile_scale_n(struct profile *p, const double *factors);

/* In place: makes each type's total equal base's. */
bool profile_normalize(struct profile *p, const struct profile *base, struct error *err);

/* How fine the places in a report are. */
enum profile_granularity {
    PROFILE_FUNCTIONS, /* the default: function names */
    PROFILE_FILEFUNCTIONS,
    PROFILE_FILES,
    PROFILE_LINES,
    PROFILE_ADDRESSES,
};

/* In place: blanks what is finer than asked for; no_inlines keeps only the
 * physical function of each location. Follow with profile_merge() to sum up. */
void profile_aggregate(struct profile *p, enum profile_granularity granularity, bool no_inlines);

/* Regular expressions (Perl syntax) and tag filters; NULL or "" = not given. */
struct profile_filter {
    const char *focus;      /* keep samples with a frame that matches function, file or mapping */
    const char *ignore;     /* drop samples with such a frame */
    const char *hide;       /* drop the frames that match, keep the samples */
    const char *show;       /* keep only the frames that match */
    const char *show_from;  /* drop the callers above the outermost match */
    const char *prune_from; /* drop what the innermost match calls */
    const char *tagfocus;   /* [key=]regexp, or [key=]range: 1kb:2mb, :64kb, 4mb: */
    const char *tagignore;
    const char *tagshow; /* on label keys */
    const char *taghide;
};

/* Called with a line for the user ("Focus expression matched no samples"). */
typedef void profile_notice_fn(void *arg, const char *text);

/* In place. False: an expression does not compile (*err says which). */
bool profile_apply_filter(struct profile *p, const struct profile_filter *f,
                          profile_notice_fn *notice, void *arg, struct error *err);

/* In place: removes frames that match drop_frames and not keep_frames, with what
 * they call; the frames before the first one not to match are kept. */
bool profile_prune(struct profile *p, struct error *err);

/* In place: adds frames named after label values, in files named after the keys: one
 * for each key of the comma-separated lists, the first key outermost. unit is what
 * numbers are shown in. Returns a bit set: 1 some sample had a root key, 2 a leaf key. */
unsigned profile_add_tag_frames(struct profile *p, const char *root_keys, const char *leaf_keys,
                                const char *unit);

/* Unit of a numeric label: the first one seen with the key in any sample; else
 * "bytes" for "request" and "alignment"; else the key itself. */
const char *profile_label_unit(const struct profile *p, const char *key);

/* The heap sampler's correction: (count, size) sampled with mean distance rate
 * bytes -> estimates of the true values. Truncates as Go does. rate <= 1: unchanged. */
void profile_scale_heap(int64_t *count, int64_t *size, int64_t rate);
/* The inverse, by search: a raw pair that profile_scale_heap() takes to exactly
 * (*count, *size) if there is one, else the nearest. block is the size of one
 * object if known (label "bytes"), else 0. */
void profile_unscale_heap(int64_t *count, int64_t *size, int64_t block, int64_t rate);

#endif
