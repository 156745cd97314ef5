/* Bytes in: from files, out of gzip, to the right parser. */
#include "profile/profile_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "profile/read_internal.h"

/* windowBits for a gzip header rather than a zlib one, see zlib.h. */
#define GZIP_WINDOW (15 + 16)

struct bytes {
    unsigned char *data;
    size_t size, cap;
};

/* Room for at least one more byte, and a NUL behind the data for the text parsers. */
static bool bytes_reserve(struct bytes *b, struct error *err)
{
    if (b->size + 1 < b->cap)
        return true;
    if (b->size + 1 >= PROFILE_MAX_BYTES)
        return fail_with(err, "larger than %zu MiB uncompressed: not read",
                         PROFILE_MAX_BYTES >> 20);
    b->cap = b->cap ? b->cap * 2 : 65536;
    b->data = mem_resize(b->data, b->cap, 1);
    return true;
}

static bool slurp(int fd, struct bytes *b, struct error *err)
{
    for (;;) {
        if (!bytes_reserve(b, err))
            return false;
        ssize_t n = read(fd, b->data + b->size, b->cap - b->size - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_with(err, "%s", strerror(errno));
        if (n == 0) {
            b->data[b->size] = '\0';
            return true;
        }
        b->size += (size_t)n;
    }
}

/* Go's readers take several gzip members as one stream, so this does too; what
 * is in them is then found to be concatenated. Trailing zeros are padding. */
static bool inflate_all(const unsigned char *in, size_t size, struct bytes *out, struct error *err)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)in, .avail_in = 0};
    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        mem_die();
    int rc = Z_OK;
    const unsigned char *end = in + size;
    while (rc != Z_STREAM_END || z.next_in < end) {
        if (rc == Z_STREAM_END) {
            if (*z.next_in == 0) {
                z.next_in++;
                continue;
            }
            inflateReset(&z);
        }
        if (!bytes_reserve(out, err)) {
            inflateEnd(&z);
            return false;
        }
        size_t left = (size_t)(end - z.next_in), room = out->cap - out->size - 1;
        z.avail_in = left > UINT32_MAX / 2 ? UINT32_MAX / 2 : (unsigned)left;
        z.avail_out = room > UINT32_MAX / 2 ? UINT32_MAX / 2 : (unsigned)room;
        unsigned before = z.avail_out;
        z.next_out = out->data + out->size;
        rc = inflate(&z, Z_NO_FLUSH);
        out->size += before - z.avail_out;
        if (rc == Z_OK || rc == Z_STREAM_END || (rc == Z_BUF_ERROR && z.avail_out == 0))
            continue;
        bool cut = rc == Z_BUF_ERROR && z.next_in == end;
        fail_with(err,
                  cut ? "truncated: the gzip stream ends early after %zu bytes"
                      : "damaged gzip stream after %zu bytes",
                  out->size);
        inflateEnd(&z);
        return false;
    }
    inflateEnd(&z);
    out->data[out->size] = '\0';
    return true;
}

/* data[size] is a NUL. */
static struct profile *read_uncompressed(const unsigned char *data, size_t size, struct error *err)
{
    struct profile *p;
    if (!size) {
        fail_with(err, "empty input file");
        return NULL;
    }
    if (read_text_sniff(data, size))
        p = read_text((const char *)data, size, err);
    else if (read_gperf_sniff(data, size))
        p = read_gperf(data, size, err);
    else
        p = read_proto(data, size, err);
    if (p && !profile_check(p, err)) {
        profile_free(p);
        p = NULL;
    }
    return p;
}

struct profile *profile_read_memory(const void *data, size_t size, struct error *err)
{
    const unsigned char *in = data;
    struct bytes b = {0};
    if (size >= 2 && in[0] == 0x1f && in[1] == 0x8b) {
        if (!inflate_all(in, size, &b, err)) {
            free(b.data);
            return NULL;
        }
    } else {
        b.data = mem_alloc(size + 1);
        if (size)
            memcpy(b.data, data, size);
        b.data[size] = '\0';
        b.size = size;
    }
    struct profile *p = read_uncompressed(b.data, b.size, err);
    free(b.data);
    return p;
}

struct profile *profile_read_fd(int fd, struct error *err)
{
    struct bytes b = {0};
    struct profile *p = NULL;
    if (slurp(fd, &b, err)) {
        bool gzip = b.size >= 2 && b.data[0] == 0x1f && b.data[1] == 0x8b;
        p = gzip ? profile_read_memory(b.data, b.size, err)
                 : read_uncompressed(b.data, b.size, err);
    }
    free(b.data);
    return p;
}

struct profile *profile_read_file(const char *path, struct error *err)
{
    if (strcmp(path, "-") == 0)
        return profile_read_fd(STDIN_FILENO, err);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        fail_with(err, "%s", strerror(errno));
        return NULL;
    }
    struct stat st;
    struct profile *p = NULL;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        fail_with(err, "is a directory, not a profile");
    else
        p = profile_read_fd(fd, err);
    close(fd);
    return p;
}
