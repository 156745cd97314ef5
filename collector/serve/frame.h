/*
 * Frames (wire/handover.h) out of a stream of bytes, apart from sockets, so that it can be
 * fuzzed. Bytes go in as they come; whole frames come out through the callback.
 *
 * Threads: one at a time for each reader.
 */
#ifndef COLLECTOR_SERVE_FRAME_H
#define COLLECTOR_SERVE_FRAME_H

#include "wire/handover.h"
#include <stdbool.h>
#include <stddef.h>

struct frame_reader {
    struct handover_frame frame; /* as far as `have` reaches */
    size_t have;                 /* bytes of header and body so far */
    unsigned char *body;         /* malloc'ed; NUL after the last byte */
};

/* One whole frame. False: it breaks the rules; *why (static) says which. */
typedef bool frame_handler(void *context, enum handover_type type, const unsigned char *body,
                           size_t length, const char **why);

/* False: the sender broke the rules (*why, static) and is to be cut off. */
bool frame_reader_feed(struct frame_reader *reader, const unsigned char *bytes, size_t length,
                       frame_handler *handle, void *context, const char **why);
void frame_reader_free(struct frame_reader *reader);

#endif
