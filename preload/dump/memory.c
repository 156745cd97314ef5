#include "dump/memory.h"

#include "runtime/sys.h"
#include <fcntl.h>
#include <string.h>

size_t memory_read(struct memory_comments *memory, const char **comments)
{
    /* proc(5): resident now, at most, its anonymous part, swapped out */
    static const char *const wanted[MEMORY_COMMENTS] = {"VmHWM:", "VmRSS:", "RssAnon:", "VmSwap:"};
    long fd = sys_call4(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC, 0), got;
    size_t count = 0;

    if (fd < 0)
        return 0;
    got = sys_call3(SYS_read, fd, memory->status, sizeof memory->status - 1);
    sys_call1(SYS_close, fd);
    memory->status[got > 0 ? got : 0] = '\0';
    for (char *line = memory->status; *line;) {
        char *end = strchr(line, '\n'), *tab = strchr(line, '\t');
        if (!end)
            break; /* cut: not a whole line */
        *end = '\0';
        if (tab)
            *tab = ' ';
        for (size_t i = 0; i < MEMORY_COMMENTS && count < MEMORY_COMMENTS; i++)
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
                comments[count++] = line;
        line = end + 1;
    }
    return count;
}
