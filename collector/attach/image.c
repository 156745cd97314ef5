#include "attach/image.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define LIBRARY_MAX (64u << 20) /* bytes; libprof.so has less than one */

static bool read_file(struct image *image, const char *path, struct error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0 || info.st_size > LIBRARY_MAX) {
        int error = fd < 0 ? errno : EFBIG;
        if (fd >= 0)
            close(fd);
        return fail_with(err, "cannot read %s: %s", path, strerror(error));
    }
    image->size = (size_t)info.st_size;
    image->bytes = mem_alloc(image->size + 1);
    ssize_t length = pread(fd, image->bytes, image->size, 0);
    close(fd);
    return length == info.st_size || fail_with(err, "cannot read %s: it is changing", path);
}

/* The order in the file, or NULL. */
static struct attach_order *find_order(struct image *image)
{
    for (size_t at = 0; at + sizeof(struct attach_order) <= image->size; at += 8) {
        struct attach_order *order = (void *)(image->bytes + at);
        if (attach_order_is(order, image->size - at))
            return order;
    }
    return NULL;
}

/* FNV-1a, 64 bits (draft-eastlake-fnv), a word at a time. */
static uint64_t fingerprint(const struct image *image)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325), word;
    for (size_t at = 0; at + sizeof word <= image->size; at += sizeof word) {
        memcpy(&word, image->bytes + at, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* A preloaded libprof.so never leaves memory (DF_1_NODELETE, ELF gABI); this one may. */
static void allow_unloading(struct image *image)
{
    const ElfW(Ehdr) *header = (void *)image->bytes;
    if (image->size < sizeof *header ||
        header->e_phoff + (uint64_t)header->e_phnum * sizeof(ElfW(Phdr)) > image->size)
        return;
    const ElfW(Phdr) *segment = (void *)(image->bytes + header->e_phoff);
    for (unsigned n = 0; n < header->e_phnum; n++) {
        if (segment[n].p_type != PT_DYNAMIC ||
            segment[n].p_offset + segment[n].p_filesz > image->size)
            continue;
        ElfW(Dyn) *entry = (void *)(image->bytes + segment[n].p_offset);
        for (size_t i = 0; i < segment[n].p_filesz / sizeof *entry; i++)
            if (entry[i].d_tag == DT_FLAGS_1)
                entry[i].d_un.d_val &= ~(uint64_t)DF_1_NODELETE;
    }
}

static bool fill_environment(char *room, const char *const *environment, struct error *err)
{
    size_t used = 0;
    for (; *environment; environment++) {
        size_t length = strlen(*environment) + 1;
        if (used + length + 1 > ATTACH_ENVIRONMENT_MAX)
            return fail_with(err, "the LIBPROF_ variables are longer than %d bytes together",
                             ATTACH_ENVIRONMENT_MAX);
        memcpy(room + used, *environment, length);
        used += length;
    }
    room[used] = '\0';
    return true;
}

bool image_read(struct image *image, const char *library, const char *const *environment,
                struct error *err)
{
    memset(image, 0, sizeof *image);
    if (!read_file(image, library, err))
        return false;
    struct attach_order *order = find_order(image);
    if (!order)
        return fail_with(err, "%s is not a libprof.so of this version of prof", library);
    order->image = fingerprint(image);
    order->attached = 1;
    allow_unloading(image);
    bool good = fill_environment(order->environment, environment, err);
    image->order = *order;
    return good;
}

void image_free(struct image *image)
{
    free(image->bytes);
    image->bytes = NULL;
}
