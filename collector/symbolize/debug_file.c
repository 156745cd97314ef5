/* Where the debug information of a file is, when it is not in the file. */
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "symbolize/elf_file.h"

/* Where every distribution puts debug files; gdb's default too. */
#define DEBUG_DIR "/usr/lib/debug"

/* Opens path if it is an ELF file of that build id ("" takes any). */
static struct elf_file *open_if_same(const char *path, const char *build_id)
{
    const char *why;
    struct elf_file *f = elf_file_open(path, &why);
    if (f && *build_id && strcmp(f->build_id, build_id) != 0) {
        elf_file_close(f);
        return NULL;
    }
    return f;
}

static struct elf_file *open_by_id(const char *build_id, const char *suffix)
{
    if (strlen(build_id) < 3)
        return NULL;
    char *path = mem_printf(DEBUG_DIR "/.build-id/%.2s/%s%s", build_id, build_id + 2, suffix);
    struct elf_file *f = open_if_same(path, build_id);
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
            f = open_if_same(path, build_id);
        }
        free(path);
        end(client);
    }
    return f; /* lib stays loaded: closing it would run curl's cleanup under us */
}

/* ---- .gnu_debuglink ---- */

static bool file_checksum(const char *path, uint32_t *sum)
{
    unsigned char buf[65536];
    size_t n;
    FILE *in = fopen(path, "re");
    if (!in)
        return false;
    uLong crc = crc32(0, NULL, 0);
    while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
        crc = crc32(crc, buf, (unsigned)n);
    *sum = (uint32_t)crc;
    fclose(in);
    return true;
}

/* The link's file name and checksum; false if f has none. */
static bool read_debuglink(const struct elf_file *f, const char **name, uint32_t *sum)
{
    GElf_Shdr sh;
    size_t names;
    if (elf_getshdrstrndx(f->elf, &names) < 0)
        return false;
    for (Elf_Scn *s = elf_nextscn(f->elf, NULL); s; s = elf_nextscn(f->elf, s)) {
        const char *section = gelf_getshdr(s, &sh) ? elf_strptr(f->elf, names, sh.sh_name) : NULL;
        if (!section || strcmp(section, ".gnu_debuglink") != 0)
            continue;
        Elf_Data *data = elf_rawdata(s, NULL);
        if (!data || data->d_size < 8)
            return false;
        *name = data->d_buf;
        size_t at = (strnlen(*name, data->d_size) + 4) & ~(size_t)3;
        if (at + 4 > data->d_size || strchr(*name, '/'))
            return false;
        memcpy(sum, (const char *)data->d_buf + at, 4);
        return true;
    }
    return false;
}

static struct elf_file *open_by_link(const struct elf_file *f)
{
    const char *name;
    uint32_t want, sum;
    if (!read_debuglink(f, &name, &want))
        return NULL;
    char *copy = mem_strdup(f->path);
    const char *dir = dirname(copy);
    char *places[] = {
        mem_printf("%s/%s", dir, name),
        mem_printf("%s/.debug/%s", dir, name),
        mem_printf(DEBUG_DIR "%s/%s", dir, name),
    };
    struct elf_file *found = NULL;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        /* A build id says the same for less than reading the whole file. */
        if (!found && strcmp(places[i], f->path) != 0) {
            found = open_if_same(places[i], f->build_id);
            if (found && !*f->build_id && !(file_checksum(places[i], &sum) && sum == want)) {
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
    struct elf_file *debug = open_by_id(f->build_id, ".debug");
    if (!debug)
        debug = open_by_link(f);
    if (!debug)
        debug = open_from_server(f->build_id, "debuginfod_find_debuginfo");
    return debug;
}

struct elf_file *elf_file_open_build_id(const char *build_id)
{
    struct elf_file *f = open_by_id(build_id, "");
    if (!f)
        f = open_from_server(build_id, "debuginfod_find_executable");
    if (!f)
        f = open_by_id(build_id, ".debug");
    if (!f)
        f = open_from_server(build_id, "debuginfod_find_debuginfo");
    return f;
}
