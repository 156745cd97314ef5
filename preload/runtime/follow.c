#include "runtime/follow.h"

#include "kit/sys.h"
#include "kit/text.h"
#include <fcntl.h>
#include <string.h>

#define PRELOAD "LD_PRELOAD="
#define LIBRARY "libprof.so"

/* Whether the word (length bytes) is libprof.so, with or without a folder. */
static bool is_library(const char *word, size_t length)
{
    size_t name = sizeof LIBRARY - 1;

    return length >= name && memcmp(word + length - name, LIBRARY, name) == 0 &&
           (length == name || word[length - name - 1] == '/');
}

bool follow_strip_preload(const char *assignment, char *out)
{
    const char *at = assignment + sizeof PRELOAD - 1;
    bool found = false, first = true;

    if (strncmp(assignment, PRELOAD, sizeof PRELOAD - 1) != 0)
        return false;
    if (out) {
        memcpy(out, PRELOAD, sizeof PRELOAD);
        out += sizeof PRELOAD - 1;
    }
    while (*at) {
        /* spaces and colons separate: ld.so(8) */
        size_t length = text_until(at, " :");
        if (is_library(at, length)) {
            found = true;
        } else if (out && length) {
            if (!first)
                *out++ = ':';
            memcpy(out, at, length);
            out += length;
            first = false;
        }
        at += length + (at[length] != '\0');
    }
    if (out)
        *out = '\0';
    return found;
}

/* Goes through /proc/PID/environ, string by string; strings longer than the
 * buffer are cut, which none of those looked for is. */
static bool parent_has_preload(int fd)
{
    char buffer[4096];
    size_t used = 0;

    for (;;) {
        long got = sys_call3(SYS_read, fd, buffer + used, sizeof buffer - 1 - used);
        size_t start = 0;
        if (got < 0)
            return false;
        used += (size_t)got;
        buffer[used] = '\0';
        while (start < used) {
            size_t length = strlen(buffer + start);
            bool whole = start + length < used || got == 0 || used == sizeof buffer - 1;
            if (!whole)
                break;
            if (follow_strip_preload(buffer + start, NULL))
                return true;
            start += length + 1;
        }
        if (got == 0)
            return false;
        used = start < used ? used - start : 0;
        memmove(buffer, buffer + start, used);
    }
}

bool follow_parent_is_profiled(void)
{
    char path[64];
    struct text text;
    long fd;
    bool found;

    text_init(&text, path, sizeof path);
    text_format(&text, "/proc/%d/environ", (int)sys_call0(SYS_getppid));
    fd = sys_call4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    found = parent_has_preload((int)fd);
    sys_call1(SYS_close, fd);
    return found;
}

bool follow_excludes_me(enum config_follow follow)
{
    return follow != CONFIG_FOLLOW_ALL && follow != CONFIG_FOLLOW_EXEC &&
           follow_parent_is_profiled();
}
