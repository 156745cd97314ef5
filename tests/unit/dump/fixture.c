#include "fixture.h"
#include "ledger/counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

struct memory_sink {
    struct sink sink;
    char *bytes;
    size_t size;
};

void fixture_ledger(uint64_t heap_rate, uint64_t max_memory)
{
    static const char cmdline[] = "./app\0--flag\0two words";
    struct ledger_settings settings = {
        .max_memory = max_memory,
        .heap_rate = heap_rate,
        .cpu_period_ns = 10000000,
        .block_rate_ns = 10000,
        .mutex_fraction = 10,
        .planes = 2,
        .exe = "/opt/odd:na\xffme dir/app:1",
        .cmdline = cmdline,
        .cmdline_size = sizeof cmdline,
    };
    struct module library = {.start = LIB_START,
                             .limit = LIB_START + 0x5000,
                             .file_offset = 0x2000,
                             .build_id = {0xde, 0xad, 0x01},
                             .build_id_size = 3,
                             .path = "/usr/lib/libone.so"};
    struct module program = {.start = MAIN_START,
                             .limit = MAIN_START + 0x3000,
                             .file_offset = 0x1000,
                             .is_main = true,
                             .path = "/opt/app (deleted)"};
    struct module successor = library;
    int fd = -1;

    successor.path = "/usr/lib/libtwo.so";
    assert_true(ledger_create(&settings, &fd));
    close(fd);
    ledger->start_ns = START_NS;
    ledger->start_mono_ns = START_MONO_NS;
    ledger_module(1, &library);
    ledger_module(2, &program);
    ledger_module(3, &successor);
}

void fixture_drop(void)
{
    ledger_drop();
}

uint32_t fixture_site(enum ledger_kind kind, uint64_t key, const uint64_t *frames, unsigned depth,
                      enum unwind_end end, uint64_t count, uint64_t value)
{
    uint32_t site = ledger_site(kind, key, frames, depth, end);

    assert_int_not_equal(site, 0);
    for (unsigned plane = 0; plane < 2; plane++) { /* in halves, over both planes */
        struct ledger_counter *counter = ledger_counter(plane, site);
        assert_non_null(counter);
        counter->count += plane ? count - count / 2 : count / 2;
        counter->value += plane ? value - value / 2 : value / 2;
    }
    return site;
}

static bool memory_write(struct sink *sink, const void *bytes, size_t length)
{
    struct memory_sink *memory = (struct memory_sink *)sink;

    memory->bytes = realloc(memory->bytes, memory->size + length);
    memcpy(memory->bytes + memory->size, bytes, length);
    memory->size += length;
    return true;
}

void *fixture_encode_bytes(enum dump_profile profile, size_t *size)
{
    struct memory_sink memory = {.sink.write = memory_write};
    struct ledger_view view;
    static const char *const comments[] = {"one more"};
    struct dump_request request = {.view = &view,
                                   .profile = profile,
                                   .now_ns = START_NS + 2000000000,
                                   .now_mono_ns = START_MONO_NS + 3000000000,
                                   .comments = comments,
                                   .comment_count = 1};

    assert_null(ledger_view_open(&view, ledger, ledger->size));
    assert_null(dump_encode(&request, &memory.sink));
    *size = memory.size;
    return memory.bytes;
}

void *fixture_inflate(const void *bytes, size_t size, size_t *out_size)
{
    size_t room = 0;
    unsigned char *out = NULL;
    z_stream z = {.next_in = (unsigned char *)bytes, .avail_in = (unsigned)size};
    int result;

    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    do {
        size_t used = room - z.avail_out;
        room = room ? room * 2 : 65536;
        out = realloc(out, room);
        z.next_out = out + used;
        z.avail_out = (unsigned)(room - used);
        result = inflate(&z, Z_FINISH);
    } while (result == Z_BUF_ERROR && z.avail_out == 0);
    *out_size = room - z.avail_out;
    inflateEnd(&z);
    if (result == Z_STREAM_END && z.avail_in == 0)
        return out;
    free(out);
    return NULL;
}

Profile *fixture_encode(enum dump_profile profile)
{
    size_t size, plain_size;
    unsigned char *bytes = fixture_encode_bytes(profile, &size);
    static const unsigned char head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff};

    assert_memory_equal(bytes, head, sizeof head);
    unsigned char *plain = fixture_inflate(bytes, size, &plain_size);
    assert_non_null(plain);
    Profile *read = perftools__profiles__profile__unpack(NULL, plain_size, plain);
    assert_non_null(read);
    free(plain);
    free(bytes);
    return read;
}
