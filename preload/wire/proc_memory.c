#include "wire/proc_memory.h"

#include "kit/sys.h"
#include "kit/text.h"
#include <fcntl.h>
#include <string.h>

const char *const memory_names[LEDGER_MEMORY_KINDS] = {
    [LEDGER_MEMORY_MOST] = "VmHWM:",
    [LEDGER_MEMORY_RESIDENT] = "VmRSS:",
    [LEDGER_MEMORY_ANONYMOUS] = "RssAnon:",
    [LEDGER_MEMORY_SWAPPED] = "VmSwap:",
};

static long open_status(uint32_t pid)
{
    char path[32];
    struct text text;

    text_init(&text, path, sizeof path);
    if (pid)
        text_format(&text, "/proc/%u/status", pid);
    else
        text_string(&text, "/proc/self/status");
    return sys_call4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

static uint64_t read_number(const char *text)
{
    uint64_t number = 0;

    while (*text == ' ' || *text == '\t')
        text++;
    while (*text >= '0' && *text <= '9')
        number = number * 10 + (uint64_t)(*text++ - '0');
    return number;
}

bool memory_read(uint32_t pid, uint64_t memory[LEDGER_MEMORY_KINDS])
{
    char status[4096]; /* some 1500 bytes */
    long fd = open_status(pid), got;
    bool any = false;

    if (fd < 0)
        return false;
    got = sys_call3(SYS_read, fd, status, sizeof status - 1);
    sys_call1(SYS_close, fd);
    status[got > 0 ? got : 0] = '\0';
    for (char *line = status, *end; (end = strchr(line, '\n')); line = end + 1)
        for (unsigned kind = 0; kind < LEDGER_MEMORY_KINDS; kind++) {
            size_t length = strlen(memory_names[kind]);
            if (strncmp(line, memory_names[kind], length) == 0) {
                memory[kind] = read_number(line + length);
                any = true;
            }
        }
    return any;
}
