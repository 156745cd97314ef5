/*
 * The lines of text in a profile: who wrote it, of what, with which settings,
 * and what the numbers don't hold (every statistic that isn't zero). A profile
 * says itself why it is empty or short (hazard 49).
 *
 * Context: dump context.
 */
#ifndef LIBPROF_WIRE_COMMENTS_H
#define LIBPROF_WIRE_COMMENTS_H

#include "wire/dump_request.h"
#include "wire/string_table.h"

/* How the comment begins that says by which name the program was started. Readers look for it. */
#define PROFILE_STARTED_AS "# libprof: started as: "

/* Has the process far more anonymous memory than malloc ever handed out? Then the heap
 * profile is missing something. expected: another allocator is known to be in it, so that
 * less is enough. Any context. */
bool comments_heap_is_small(const struct dump_request *request, bool expected);

/* Writes what a reader of the profile should know, a comment a line: the process, the options, what
 * was lost and why, what is missing. */
void comments_write(const struct dump_request *request, struct stream *stream,
                    struct string_table *strings);

#endif
