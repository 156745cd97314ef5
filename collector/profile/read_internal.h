/*
 * Between the readers: which bytes go to which parser. Not for others: they call
 * profile_read_*().
 */
#ifndef COLLECTOR_PROFILE_READ_INTERNAL_H
#define COLLECTOR_PROFILE_READ_INTERNAL_H

#include "profile/profile.h"

/* Uncompressed protobuf -> profile; NULL with *err. */
struct profile *read_proto(const unsigned char *data, size_t size, struct error *err);

/* Does this look like one of the text forms (or gperftools' binary one)? */
bool read_text_sniff(const unsigned char *data, size_t size);
/* Text forms: heap, count, contention, thread; data is followed by a NUL. NULL
 * with *err. */
struct profile *read_text(const char *data, size_t size, struct error *err);

/* gperftools' binary CPU profile. */
bool read_gperf_sniff(const unsigned char *data, size_t size);
struct profile *read_gperf(const unsigned char *data, size_t size, struct error *err);

/* Parses the lines of a memory map from at on, appends them to p's mappings, and
 * gives each location its mapping (a catch-all one where there is none). */
void read_maps(struct profile *p, const char *at, const char *end);

/* drop_frames and keep_frames of forms that carry none: the allocators', the
 * locks' or the profiler's own functions, by sample type. */
void read_text_set_drop_frames(struct profile *p);

#endif
