#include "wire/stream.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

/* The largest part is a sample of UNWIND_MAX_DEPTH frames: 1024 ids of at most
 * 5 bytes, its values and labels; or a string (STRINGS_LONGEST). */
#define STAGE_SIZE ((size_t)32 << 10)
#define OUTPUT_SIZE ((size_t)32 << 10)

struct stream {
    struct sink *sink;
    z_stream deflate;
    gz_header header;
    bool failed;
    size_t staged;
    uint8_t stage[STAGE_SIZE];
    uint8_t output[OUTPUT_SIZE];
};

static voidpf deflate_alloc(voidpf arena, uInt items, uInt size)
{
    return arena_alloc(arena, (size_t)items * size);
}

static void deflate_free(voidpf arena, voidpf p)
{
    /* the arena is released whole */
}

struct stream *stream_open(struct arena *arena, struct sink *sink)
{
    struct stream *stream = arena_alloc(arena, sizeof *stream);

    if (!stream)
        return NULL;
    stream->sink = sink;
    stream->deflate.zalloc = deflate_alloc;
    stream->deflate.zfree = deflate_free;
    stream->deflate.opaque = arena;
    /* 15 window bits + 16: a gzip member (zlib.h). Go writes BestSpeed too. */
    if (deflateInit2(&stream->deflate, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return NULL;
    /* no name, no time, unknown system: the same ten bytes as Go's, and files
     * that compare equal when their contents do */
    stream->header.os = 255;
    deflateSetHeader(&stream->deflate, &stream->header);
    stream->deflate.next_out = stream->output;
    stream->deflate.avail_out = OUTPUT_SIZE;
    return stream;
}

static bool output_flush(struct stream *stream)
{
    size_t length = OUTPUT_SIZE - stream->deflate.avail_out;

    if (length && !stream->sink->write(stream->sink, stream->output, length))
        return false;
    stream->deflate.next_out = stream->output;
    stream->deflate.avail_out = OUTPUT_SIZE;
    return true;
}

/* Deflates what is staged; mode: zlib's Z_NO_FLUSH or Z_FINISH. */
static bool stage_flush(struct stream *stream, int mode)
{
    int result;

    stream->deflate.next_in = stream->stage;
    stream->deflate.avail_in = (uInt)stream->staged;
    do {
        result = deflate(&stream->deflate, mode);
        if (result == Z_STREAM_ERROR)
            return false;
        if (stream->deflate.avail_out == 0 && !output_flush(stream))
            return false;
    } while (stream->deflate.avail_in || (mode == Z_FINISH && result != Z_STREAM_END));
    stream->staged = 0;
    return true;
}

bool stream_part(struct stream *stream, const Perftools__Profiles__Profile *part)
{
    size_t size;

    if (stream->failed)
        return false;
    size = protobuf_c_message_get_packed_size(&part->base);
    if (size > STAGE_SIZE - stream->staged && !stage_flush(stream, Z_NO_FLUSH))
        stream->failed = true;
    if (size > STAGE_SIZE)
        stream->failed = true;
    if (stream->failed)
        return false;
    stream->staged += protobuf_c_message_pack(&part->base, stream->stage + stream->staged);
    return true;
}

bool stream_close(struct stream *stream)
{
    if (!stream->failed)
        stream->failed = !stage_flush(stream, Z_FINISH) || !output_flush(stream);
    deflateEnd(&stream->deflate);
    return !stream->failed;
}
