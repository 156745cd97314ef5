/*
 * protobuf messages -> one gzip member -> sink, in bounded memory.
 *
 * A protobuf message may be written in parts: the concatenation of partial
 * Profile messages, each with one repeated element or a few fields, is the whole
 * Profile. So every part is packed by protobuf-c's own code into a fixed buffer
 * and nothing has to be kept.
 *
 * Context: dump context (bare thread, exit, collector): no malloc, no stdio, no
 * thread-local storage; memory from the arena.
 */
#ifndef LIBPROF_WIRE_STREAM_H
#define LIBPROF_WIRE_STREAM_H

#include "kit/arena.h"
#include "profile.pb-c.h"
#include "wire/sink.h"
#include <stdbool.h>

struct stream;

/* NULL when there is no memory. Owned by the arena; the sink must outlive it. */
struct stream *stream_open(struct arena *arena, struct sink *sink);

/* One part of the profile. False once anything has failed. */
bool stream_part(struct stream *stream, const Perftools__Profiles__Profile *part);

/* Writes what is left and the gzip trailer. False when anything failed. */
bool stream_close(struct stream *stream);

#endif
