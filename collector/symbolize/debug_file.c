/* Where the debug information of a file is, when it is not in the file. */
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "symbolize/elf_file.h"

/* Where every distribution puts debug files; gdb's default too. */
#define DEBUG_DIR "/usr/lib/debug"

/* Opens path, below root if that is not NULL, if it is an ELF file of that build id (""
 * takes any). */
static struct elf_file *open_if_same(const char *root, const char *path, const char *build_id)
{
    const char *why;
    struct elf_file *f =
        root ? elf_file_open_below(root, path, &why) : elf_file_open(path, &why);
    if (f && *build_id && strcmp(f->build_id, build_id) != 0) {
        elf_file_close(f);
        return NULL;
    }
    return f;
}

static struct elf_file *open_by_id(const char *root, const char *build_id, const char *suffix)
{
    if (strlen(build_id) < 3)
        return NULL;
    char *path = mem_printf(DEBUG_DIR "/.build-id/%.2s/%s%s", build_id, build_id + 2, suffix);
    struct elf_file *f = open_if_same(root, path, build_id);
    free(path);
    return f;
}

/* ---- debuginfod: loaded at need, so that nothing else depends on it ---- */

typedef void *begin_fn(void);
typedef void end_fn(void *);
typedef int find_fn(void *, const unsigned char *build_id, int size, char **path);

/* Asks the servers the user named in DEBUGINFOD_URLS; nobody if there are none. */
static struct elf_file *open_from_server(const char *build_id, const char *function)
{
    const char *urls = getenv("DEBUGINFOD_URLS");
    if (!urls || !*urls || !*build_id)
        return NULL;
    void *lib = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return NULL;
    begin_fn *begin = (begin_fn *)(uintptr_t)dlsym(lib, "debuginfod_begin");
    end_fn *end = (end_fn *)(uintptr_t)dlsym(lib, "debuginfod_end");
    find_fn *find = (find_fn *)(uintptr_t)dlsym(lib, function);
    struct elf_file *f = NULL;
    void *client = begin && end && find ? begin() : NULL;
    if (client) {
        char *path = NULL;
        /* Size 0: the build id is hexadecimal text. */
        int fd = find(client, (const unsigned char *)build_id, 0, &path);
        if (fd >= 0) {
            close(fd);
            f = open_if_same(NULL, path, build_id);
        }
        free(path);
        end(client);
    }
    return f; /* lib stays loaded: closing it would run curl's cleanup under us */
}

/* ---- .gnu_debuglink ---- */

static bool has_checksum(const struct elf_file *f, uint32_t sum)
{
    size_t size;
    const char *file = elf_rawfile(f->elf, &size);
    return file && crc32_z(0, (const unsigned char *)file, size) == sum;
}

/* The link's file name and checksum; false if f has none. */
static bool read_debuglink(const struct elf_file *f, const char **name, uint32_t *sum)
{
    GElf_Shdr sh;
    Elf_Scn *s = elf_file_section(f->elf, ".gnu_debuglink", &sh);
    Elf_Data *data = s ? elf_rawdata(s, NULL) : NULL;
    if (!data || data->d_size < 8)
        return false;
    *name = data->d_buf;
    size_t at = (strnlen(*name, data->d_size) + 4) & ~(size_t)3;
    if (at + 4 > data->d_size || strchr(*name, '/'))
        return false;
    memcpy(sum, (const char *)data->d_buf + at, 4);
    return true;
}

static struct elf_file *open_by_link(const struct elf_file *f)
{
    const char *name;
    uint32_t sum;
    if (!read_debuglink(f, &name, &sum))
        return NULL;
    /* as the process knows it, if the file is in a root of its own */
    size_t root = f->root && strncmp(f->path, f->root, strlen(f->root)) == 0 ? strlen(f->root) : 0;
    char *copy = mem_strdup(f->path + root);
    const char *dir = dirname(copy);
    char *places[] = {
        mem_printf("%s/%s", dir, name),
        mem_printf("%s/.debug/%s", dir, name),
        mem_printf(DEBUG_DIR "%s/%s", dir, name),
    };
    struct elf_file *found = NULL;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        /* A build id says the same for less than reading the whole file. */
        if (!found && strcmp(places[i], f->path + root) != 0) {
            found = open_if_same(f->root, places[i], f->build_id);
            if (found && !*f->build_id && !has_checksum(found, sum)) {
                elf_file_close(found);
                found = NULL;
            }
        }
        free(places[i]);
    }
    free(copy);
    return found;
}

struct elf_file *elf_file_open_debug(const struct elf_file *f)
{
    struct elf_file *debug = f->root ? open_by_id(f->root, f->build_id, ".debug") : NULL;
    if (!debug)
        debug = open_by_id(NULL, f->build_id, ".debug");
    if (!debug)
        debug = open_by_link(f);
    if (!debug)
        debug = open_from_server(f->build_id, "debuginfod_find_debuginfo");
    return debug;
}

struct elf_file *elf_file_open_build_id(const char *build_id)
{
    struct elf_file *f = open_by_id(NULL, build_id, "");
    if (!f)
        f = open_from_server(build_id, "debuginfod_find_executable");
    if (!f)
        f = open_by_id(NULL, build_id, ".debug");
    if (!f)
        f = open_from_server(build_id, "debuginfod_find_debuginfo");
    return f;
}
