#include "report/path.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

char *path_clean(const char *path)
{
    bool rooted = *path == '/';
    char *out = mem_alloc(strlen(path) + 2), *to = out, *floor;
    if (rooted)
        *to++ = '/';
    floor = to; /* `..` cannot go back beyond this */
    while (*path) {
        size_t n = strcspn(path, "/");
        bool dot = n == 0 || (n == 1 && path[0] == '.');
        bool up = n == 2 && path[0] == '.' && path[1] == '.';
        if (up && to > floor) {
            while (to > floor && *--to != '/')
                ;
        } else if (!dot && !(up && rooted)) {
            if (to != out && to[-1] != '/')
                *to++ = '/';
            memcpy(to, path, n);
            to += n;
            if (up)
                floor = to;
        }
        path += n;
        path += strspn(path, "/");
    }
    if (to == out)
        *to++ = '.';
    *to = '\0';
    return out;
}

static const char *after_prefix(const char *path, const char *prefix, size_t n)
{
    if (!n || strncmp(path, prefix, n) != 0)
        return NULL;
    if (prefix[n - 1] != '/' && path[n++] != '/')
        return NULL;
    return path + n;
}

const char *path_trim(const char *path, const char *trim, const char *search)
{
    for (const char *dir = search; !*trim && *dir;) {
        size_t n = strcspn(dir, ":"), from = n;
        while (from && dir[from - 1] != '/')
            from--;
        char *want = mem_printf("/%.*s/", (int)(n - from), dir + from);
        const char *found = n > from ? strstr(path, want) : NULL;
        size_t length = strlen(want);
        free(want);
        if (found)
            return found + length;
        dir += n + (dir[n] == ':');
    }
    while (*trim) {
        size_t n = strcspn(trim, ":");
        const char *rest = after_prefix(path, trim, n);
        if (rest)
            return rest;
        trim += n + (trim[n] == ':');
    }
    /* Build systems that hide the builder's folder write this one. */
    static const char cwd[] = "/proc/self/cwd/";
    if (strncmp(path, cwd, sizeof(cwd) - 1) == 0) {
        path += sizeof(cwd) - 1;
        return strncmp(path, "./", 2) == 0 ? path + 2 : path;
    }
    return path;
}
