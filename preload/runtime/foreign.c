#include "runtime/foreign.h"

#include "kit/sys.h"
#include "kit/text.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_SIZE = 256,      /* the line of a script that the kernel reads (BINPRM_BUF_SIZE) */
    PATH_SIZE = 1024,     /* longer ones aren't looked at */
    INTERPRETERS_MAX = 5, /* of interpreters of scripts (execve(2)), and the program */
};

/* What is read of a file: PT_INTERP comes before what is loaded; linkers write 7 to 14
 * headers, right behind the first. */
struct start {
    Elf64_Ehdr elf;
    Elf64_Phdr headers[16];
};
_Static_assert(sizeof(struct start) >= NAME_SIZE, "a script's first line fits");

static bool begins_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

/* By the name alone: /lib/ld-musl-x86_64.so.1, /system/bin/linker64, /lib/ld64-uClibc.so.1.
 * A name that says nothing is taken for glibc's: it may lie anywhere, under any name. */
static bool is_other_loader(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    return begins_with(name, "ld-musl-") || begins_with(name, "ld-uClibc") ||
           begins_with(name, "ld64-uClibc") || strcmp(name, "linker64") == 0;
}

/* path may be any pointer: it is read here when the kernel could read it. */
static long open_program(int directory, const char *path)
{
    /* not to wait for a pipe's other end, should somebody try to exec one */
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    char itself[32];
    struct text text;
    long fd = sys_call4(SYS_openat, directory, path, flags, 0);

    if (fd != -ENOENT || *path)
        return fd;
    text_init(&text, itself, sizeof itself); /* opened anew: it may be for O_PATH only */
    text_format(&text, "/proc/self/fd/%d", directory);
    return sys_call4(SYS_openat, directory, itself, flags, 0);
}

/* The loader's path, cut to the buffer; "" without one. */
static void read_loader(long fd, const struct start *start, size_t got, char *name)
{
    name[0] = '\0';
    if (start->elf.e_ident[EI_CLASS] != ELFCLASS64 || start->elf.e_phoff != sizeof start->elf)
        return;
    size_t there = (got - sizeof start->elf) / sizeof *start->headers;
    for (size_t n = 0; n < there && n < start->elf.e_phnum; n++)
        if (start->headers[n].p_type == PT_INTERP) {
            long size = sys_call4(SYS_pread64, fd, name, NAME_SIZE - 1, start->headers[n].p_offset);
            name[size > 0 ? size : 0] = '\0'; /* the path ends before by a NUL of its own */
            return;
        }
}

/* The interpreter of a script whose first bytes these are; "" without one. */
static void read_interpreter(const char *line, size_t size, char *name)
{
    struct text text;
    size_t at = 2, end;

    while (at < size && (line[at] == ' ' || line[at] == '\t'))
        at++;
    for (end = at; end < size && !memchr(" \t\n", line[end], 4);) /* the NUL ends it too */
        end++;
    text_init(&text, name, NAME_SIZE);
    text_bytes(&text, line + at, end - at);
}

/* What starts the program: its loader or, for a script, another program. */
enum starter { STARTER_NONE, STARTER_LOADER, STARTER_SCRIPT };

static enum starter find_starter(int directory, const char *path, char *name)
{
    struct start start;
    enum starter starter = STARTER_NONE;
    long fd = open_program(directory, path);

    if (fd < 0)
        return STARTER_NONE;
    long got = sys_call4(SYS_pread64, fd, &start, sizeof start, 0);
    if (got >= (long)sizeof start.elf && memcmp(&start, ELFMAG, SELFMAG) == 0) {
        read_loader(fd, &start, (size_t)got, name);
        starter = STARTER_LOADER;
    } else if (got > 2 && memcmp(&start, "#!", 2) == 0) {
        size_t most = got < NAME_SIZE ? (size_t)got : NAME_SIZE - 1;
        read_interpreter((const char *)&start, most, name);
        starter = STARTER_SCRIPT;
    }
    sys_call1(SYS_close, fd);
    return starter;
}

bool foreign_is_program(int directory, const char *path)
{
    char name[NAME_SIZE], next[NAME_SIZE];

    for (int depth = 0; depth < INTERPRETERS_MAX + 1; depth++) {
        enum starter starter = find_starter(directory, path, name);
        if (starter == STARTER_LOADER) /* or the loader itself: ld-musl-x86_64.so.1 PROGRAM */
            return is_other_loader(name) || is_other_loader(path);
        if (starter == STARTER_NONE || !name[0])
            return false;
        path = memcpy(next, name, sizeof next);
    }
    return false;
}

static bool is_executable(int directory, const char *path)
{
    struct stat status;

    return sys_call4(SYS_newfstatat, directory, path, &status, 0) == 0 && S_ISREG(status.st_mode) &&
           sys_call3(SYS_faccessat, directory, path, X_OK) == 0;
}

static const char *search_path(void)
{
    for (char **entry = environ; entry && *entry; entry++)
        if (begins_with(*entry, "PATH="))
            return *entry + sizeof "PATH=" - 1;
    return "/bin:/usr/bin"; /* confstr(3), _CS_PATH */
}

bool foreign_is_found(int directory, const char *file)
{
    char path[PATH_SIZE];
    struct text text;

    if (strchr(file, '/'))
        return foreign_is_program(directory, file);
    if (!*file)
        return false;
    for (const char *at = search_path();; at++) {
        size_t length = text_until(at, ":");
        text_init(&text, path, sizeof path);
        text_bytes(&text, at, length);
        if (length) /* an empty one is the working directory */
            text_bytes(&text, "/", 1);
        text_string(&text, file);
        if (!text.cut && is_executable(directory, path))
            return foreign_is_program(directory, path);
        at += length;
        if (!*at)
            return false;
    }
}
