#include "serve/frame.h"

#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

static bool check_header(const struct handover_frame *frame, const char **why)
{
    if (frame->magic != HANDOVER_MAGIC)
        *why = "not libprof's protocol";
    else if (frame->version != HANDOVER_VERSION)
        *why = "a libprof of another version";
    else if (frame->length > HANDOVER_FRAME_MAX)
        *why = "a frame longer than allowed";
    else
        return true;
    return false;
}

bool frame_reader_feed(struct frame_reader *reader, const unsigned char *bytes, size_t length,
                       frame_handler *handle, void *context, const char **why)
{
    const size_t header = sizeof reader->frame;
    for (;;) {
        if (reader->have < header) {
            size_t n = header - reader->have < length ? header - reader->have : length;
            memcpy((unsigned char *)&reader->frame + reader->have, bytes, n);
            reader->have += n;
            bytes += n;
            length -= n;
            if (reader->have < header)
                return true;
            if (!check_header(&reader->frame, why))
                return false;
            reader->body = mem_alloc(reader->frame.length + 1);
        }
        size_t want = header + reader->frame.length - reader->have;
        size_t n = want < length ? want : length;
        if (n)
            memcpy(reader->body + (reader->have - header), bytes, n);
        reader->have += n;
        bytes += n;
        length -= n;
        if (n < want)
            return true;
        reader->body[reader->frame.length] = '\0';
        bool good = handle(context, reader->frame.type, reader->body, reader->frame.length, why);
        frame_reader_free(reader);
        if (!good)
            return false;
        if (!length)
            return true;
    }
}

void frame_reader_free(struct frame_reader *reader)
{
    free(reader->body);
    reader->body = NULL;
    reader->have = 0;
}
