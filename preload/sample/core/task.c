#include "sample/core/task.h"
#include "kit/sys.h"
#include "kit/text.h"

#include <fcntl.h>
#include <string.h>

/* Reads the start of /proc/self/task/TID/FILE, with a NUL behind it. The bytes read. */
static size_t read_task(uint32_t tid, const char *file, char *buffer, size_t size)
{
    char path[64];
    struct text text;
    text_init(&text, path, sizeof path);
    text_format(&text, "/proc/self/task/%u/%s", tid, file);
    long fd = sys_call4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    long length = fd < 0 ? 0 : sys_call3(SYS_read, fd, buffer, size - 1);
    if (fd >= 0)
        sys_call1(SYS_close, fd);
    if (length < 0)
        length = 0;
    buffer[length] = '\0';
    return (size_t)length;
}

/* What follows `key` at the start of a line; NULL when there is none. */
static const char *value_of(const char *text, const char *key)
{
    size_t length = strlen(key);
    while (text && strncmp(text, key, length) != 0) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    if (!text)
        return NULL;
    text += length;
    return text + strspn(text, " \t:");
}

static uint64_t parse_hex(const char *text)
{
    uint64_t value = 0;
    for (;; text++) {
        unsigned digit = *text >= '0' && *text <= '9'   ? (unsigned)(*text - '0')
                         : *text >= 'a' && *text <= 'f' ? (unsigned)(*text - 'a' + 10)
                                                        : 16;
        if (digit == 16)
            return value;
        value = value << 4 | digit;
    }
}

static uint64_t parse_decimal(const char **text)
{
    uint64_t value = 0;
    for (; **text >= '0' && **text <= '9'; ++*text)
        value = value * 10 + (uint64_t)(**text - '0');
    return value;
}

bool task_status(uint32_t tid, struct task_status *status)
{
    char buffer[2048]; /* SigBlk stands about 1.1 KiB into the file */
    memset(status, 0, sizeof *status);
    if (read_task(tid, "status", buffer, sizeof buffer) == 0)
        return false;
    const char *state = value_of(buffer, "State:"), *blocked = value_of(buffer, "SigBlk:");
    status->state = state ? *state : 0;
    status->blocked = blocked ? parse_hex(blocked) : 0;
    /* from comm, which isn't escaped as the Name line is */
    size_t length = read_task(tid, "comm", buffer, sizeof buffer);
    if (length > 0 && buffer[length - 1] == '\n')
        length--;
    memcpy(status->name, buffer, length < sizeof status->name ? length : sizeof status->name - 1);
    return true;
}

uint64_t task_last_ran(uint32_t tid)
{
    char buffer[512];
    if (read_task(tid, "sched", buffer, sizeof buffer) == 0)
        return 0;
    const char *value = value_of(buffer, "se.exec_start"); /* milliseconds, six decimals */
    if (!value)
        return 0;
    uint64_t ms = parse_decimal(&value), fraction = 0;
    if (*value == '.') {
        value++;
        fraction = parse_decimal(&value);
    }
    return ms * 1000000 + fraction;
}

void task_call(uint32_t tid, struct task_call *call)
{
    char buffer[256];
    memset(call, 0, sizeof *call);
    call->number = -1;
    if (read_task(tid, "syscall", buffer, sizeof buffer) == 0 || buffer[0] < '0' || buffer[0] > '9')
        return; /* "running", or "-1 ..." for a wait outside of system calls */
    const char *text = buffer;
    call->number = (int32_t)parse_decimal(&text);
    uint64_t values[8] = {0}; /* the arguments, the stack pointer, the PC: " 0x..." each */
    for (int n = 0; n < 8 && (text = strchr(text, 'x')); n++)
        values[n] = parse_hex(++text);
    memcpy(call->arguments, values, sizeof call->arguments);
    call->sp = values[6];
    call->pc = values[7];
}

void task_wchan(uint32_t tid, char *text, size_t size)
{
    char buffer[128];
    size_t length = read_task(tid, "wchan", buffer, sizeof buffer);
    memset(text, 0, size);
    if (length == 0 || strcmp(buffer, "0") == 0)
        return;
    memcpy(text, buffer, length < size ? length : size - 1);
}

struct directory_entry { /* linux_dirent64, getdents64(2) */
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

bool task_each(void (*visit)(void *context, uint32_t tid), void *context)
{
    _Alignas(8) char buffer[4096];
    long fd =
        sys_call4(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    long length;
    while ((length = sys_call3(SYS_getdents64, fd, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < length;) {
            const struct directory_entry *entry = (const void *)(buffer + at);
            const char *name = entry->name;
            uint64_t tid = parse_decimal(&name);
            if (tid > 0 && tid <= UINT32_MAX)
                visit(context, (uint32_t)tid);
            at += entry->length;
        }
    }
    sys_call1(SYS_close, fd);
    return true;
}
