#include "runtime/program.h"
#include "kit/sections.h"
#include "kit/sys.h"
#include "kit/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>

static COLD_TABLE char path[4096]; /* PATH_MAX, limits.h */
static bool is_known;

/* A replaced file's name in /proc has this after it (proc(5)). */
static size_t without_deleted(const char *name, size_t length)
{
    static const char deleted[] = " (deleted)";
    const size_t suffix = sizeof deleted - 1;
    bool is_deleted = length > suffix && memcmp(name + length - suffix, deleted, suffix) == 0;
    return is_deleted ? length - suffix : length;
}

/* What it was started as, when /proc can't tell or tells the loader's name. */
static void path_from_arguments(void)
{
    const char *name = (const char *)getauxval(AT_EXECFN);
    struct text text;
    if (getauxval(AT_BASE) == 0 && program_invocation_name && program_invocation_name[0] != '\0')
        name = program_invocation_name;
    text_init(&text, path, sizeof path);
    if (!name || name[0] == '\0')
        return;
    if (name[0] != '/') {
        long size = sys_call2(SYS_getcwd, path, sizeof path); /* counts the NUL */
        if (size <= 1 || path[0] != '/') {
            path[0] = '\0';
            return;
        }
        text.length = (size_t)size - 1;
        if (text.length > 1)
            text_string(&text, "/");
        if (name[0] == '.' && name[1] == '/')
            name += 2;
    }
    text_string(&text, name);
    if (text.cut)
        path[0] = '\0';
}

const char *program_path(void)
{
    if (is_known)
        return path;
    /* The kernel gave the program no interpreter: somebody ran the loader itself. */
    bool by_loader = getauxval(AT_BASE) == 0;
    long size = by_loader
                    ? -ENOENT
                    : sys_call4(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", path, sizeof path - 1);
    if (size > 0 && path[0] == '/')
        path[without_deleted(path, (size_t)size)] = '\0';
    else
        path_from_arguments();
    is_known = true;
    return path;
}

const char *program_name(void)
{
    const char *name = (const char *)getauxval(AT_EXECFN),
               *slash = name ? strrchr(name, '/') : NULL;
    return slash ? slash + 1 : name;
}
