#include "runtime/log.h"

#include "kit/sys.h"
#include "kit/text.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES 512
/* A burst says what went wrong; after it one line in ten seconds says that it goes on. */
#define BURST 10
#define REFILL_NS UINT64_C(10000000000)

/* Immutable after log_init. */
static enum log_level log_level = LOG_QUIET;
static dev_t stderr_device;
static ino_t stderr_inode;

static atomic_uint lines;
static _Atomic(uint64_t) last_ns;
static atomic_uint suppressed;

static bool stderr_identity(dev_t *device, ino_t *inode)
{
    struct stat st = {0};

    if (sys_call2(SYS_fstat, 2, &st) != 0)
        return false;
    *device = st.st_dev;
    *inode = st.st_ino;
    return true;
}

void log_init(enum log_level level)
{
    log_level = stderr_identity(&stderr_device, &stderr_inode) ? level : LOG_QUIET;
}

static bool may_write(void)
{
    dev_t device;
    ino_t inode;
    uint64_t now = sys_clock_ns(CLOCK_MONOTONIC);
    uint64_t last = atomic_load(&last_ns);

    if (atomic_load(&lines) >= BURST &&
        (now - last < REFILL_NS || !atomic_compare_exchange_strong(&last_ns, &last, now))) {
        atomic_fetch_add(&suppressed, 1);
        return false;
    }
    atomic_fetch_add(&lines, 1);
    atomic_store(&last_ns, now);
    return stderr_identity(&device, &inode) && device == stderr_device && inode == stderr_inode;
}

void log_line(enum log_level level, const char *format, ...)
{
    char buffer[LINE_MAX_BYTES];
    struct text text;
    va_list args;
    unsigned skipped;

    if (level > log_level || sys_forbidden() || !may_write())
        return;
    text_init(&text, buffer, sizeof buffer - 1);
    text_string(&text, "libprof: ");
    va_start(args, format);
    text_format_list(&text, format, args);
    va_end(args);
    skipped = atomic_exchange(&suppressed, 0);
    if (skipped)
        text_format(&text, " (%u lines before this one not shown)", skipped);
    buffer[text.length++] = '\n';
    sys_write(2, buffer, text.length);
}
