#include "wire/comments.h"

#include "kit/sys.h"
#include "kit/text.h"
#include "wire/proc_memory.h"

#include <time.h>

#define LINE 1024

struct comments {
    struct stream *stream;
    struct string_table *strings;
};

static void add(struct comments *comments, const char *line, size_t length)
{
    Perftools__Profiles__Profile part = PERFTOOLS__PROFILES__PROFILE__INIT;
    int64_t index = string_table_enter(comments->strings, line, length);

    part.n_comment = 1;
    part.comment = &index;
    stream_part(comments->stream, &part);
}

static void add_format(struct comments *comments, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_format(struct comments *comments, const char *format, ...)
{
    char line[LINE];
    struct text text;
    va_list args;

    text_init(&text, line, sizeof line);
    va_start(args, format);
    text_format_list(&text, format, args);
    va_end(args);
    add(comments, line, text.length);
}

static void add_program(struct comments *comments, const char *exe, size_t length)
{
    char line[LINE];
    struct text text;

    text_init(&text, line, sizeof line);
    text_string(&text, "# libprof: program: ");
    text_bytes(&text, length ? exe : "unknown", length ? length : 7);
    add(comments, line, text.length);
}

/* As it was started: its file may have another name (Debian's redis-server is a link to
 * redis-check-rdb). */
static void add_name(struct comments *comments, const struct ledger_view *view)
{
    size_t length;
    const char *name = ledger_view_string(view, view->header->program, &length);
    if (length)
        add_format(comments, PROFILE_STARTED_AS "%s", name);
}

/* The arguments with spaces between them; NULs end each in the ledger. */
static void add_cmdline(struct comments *comments, const struct ledger_view *view)
{
    char line[LINE];
    struct text text;
    size_t length;
    const char *cmdline = ledger_view_string(view, view->header->cmdline, &length);

    text_init(&text, line, sizeof line);
    text_string(&text, "# libprof: command line: ");
    for (size_t i = 0; i < length && !text.cut; i++) {
        char c = cmdline[i];
        if (c || i + 1 < length)
            text_bytes(&text, (unsigned char)c < ' ' ? " " : &c, 1);
    }
    add(comments, line, text.length);
}

/* How samples are taken, and how often the kernel looks whether one is due: more of
 * them than its ticks don't come, but weigh more (sample/cpu/README.md). */
static void add_cpu(struct comments *comments, uint64_t period_ns)
{
    struct timespec tick = {0, 0};

    add_format(comments, "# libprof: ns of CPU time between samples: %lu",
               (unsigned long)period_ns);
    add_format(comments, "# libprof: CPU samples by a POSIX timer on each thread's CPU clock");
    sys_call2(SYS_clock_getres, CLOCK_REALTIME_COARSE, &tick);
    if (tick.tv_sec == 0 && (uint64_t)tick.tv_nsec > period_ns)
        add_format(comments, "# libprof: ns of the kernel's tick, longer than that: %lu",
                   (unsigned long)tick.tv_nsec);
}

static void add_settings(struct comments *comments, const struct dump_request *request)
{
    const struct ledger_header *header = request->view->header;

    switch (request->profile) {
    case DUMP_HEAP:
    case DUMP_HEAPPEAK:
        if (header->heap_rate)
            add_format(comments, "# libprof: bytes in use when the heap was largest: %ld",
                       (long)atomic_load(&header->heap_peak));
        if (header->heap_rate == 1)
            add_format(comments, "# libprof: every allocation recorded");
        else if (header->heap_rate)
            add_format(comments, "# libprof: mean bytes between heap samples: %lu",
                       (unsigned long)header->heap_rate);
        else
            add_format(comments, "# libprof: the heap profile is switched off");
        break;
    case DUMP_CPU:
        if (header->cpu_period_ns)
            add_cpu(comments, header->cpu_period_ns);
        else
            add_format(comments, "# libprof: the CPU profile is switched off");
        break;
    case DUMP_BLOCK:
        add_format(comments, "# libprof: waits recorded always from ns: %lu",
                   (unsigned long)header->block_rate_ns);
        break;
    case DUMP_MUTEX:
        add_format(comments, "# libprof: waits of a storm charged to the unlock, 1 in: %lu",
                   (unsigned long)header->mutex_fraction);
        break;
    default:
        break;
    }
}

/* Anonymous memory that malloc never handed out tells of another allocator once it is
 * this much, and this many times what malloc did: glibc's blocks of a few bytes take
 * up to eight times their size. Below, stacks and the program's data are most of it. */
#define UNSEEN_LEAST ((uint64_t)64 << 20)
#define UNSEEN_TIMES 8
/* Of a program that is known to have another allocator this much is worth a line,
 * beyond twice what malloc handed out: such programs' blocks from malloc are larger. */
#define EXPECTED_LEAST ((uint64_t)16 << 20)

/* kB */
static uint64_t memory_of(const struct dump_request *request, enum ledger_memory kind)
{
    return request->memory ? request->memory[kind]
                           : atomic_load(&request->view->header->memory[kind]);
}

/* The most bytes that malloc had handed out. */
static uint64_t heap_most(const struct dump_request *request)
{
    int64_t peak = atomic_load(&request->view->header->heap_peak);
    return peak > 0 ? (uint64_t)peak : 0;
}

bool comments_heap_is_small(const struct dump_request *request, bool expected)
{
    uint64_t anonymous = memory_of(request, LEDGER_MEMORY_ANONYMOUS) * 1024;
    uint64_t most = heap_most(request);
    if (expected)
        return anonymous / 2 > most && anonymous - 2 * most >= EXPECTED_LEAST;
    return anonymous >= UNSEEN_LEAST && anonymous / UNSEEN_TIMES > most;
}

/* What the heap profile can't show, in one line: hazard 14. */
static void add_unseen(struct comments *comments, const struct dump_request *request)
{
    const struct ledger_header *header = request->view->header;
    bool small = comments_heap_is_small(request, request->allocator != NULL);
    char line[LINE];
    struct text text;

    if (header->linked_functions) {
        add_format(comments, "# libprof: allocation functions in the program that are watched: %lu",
                   (unsigned long)header->linked_functions);
        return;
    }
    if (!header->heap_rate || (!small && !request->allocator && !atomic_load(&header->own_malloc)))
        return;
    text_init(&text, line, sizeof line);
    text_string(&text, "libprof: not in this profile: memory ");
    if (request->allocator)
        text_format(&text, "from %s, which the program brings along", request->allocator);
    else if (atomic_load(&header->own_malloc))
        text_string(&text, "from the malloc that the program brings along");
    else
        text_string(&text,
                    "that malloc didn't hand out (mmap, or an allocator of the program's own)");
    if (small) {
        uint64_t anonymous = memory_of(request, LEDGER_MEMORY_ANONYMOUS) * 1024;
        text_format(&text, ", at least %lu of %lu MiB of anonymous memory",
                    (unsigned long)((anonymous - heap_most(request)) >> 20),
                    (unsigned long)(anonymous >> 20));
    }
    add(comments, line, text.length);
}

void comments_write(const struct dump_request *request, struct stream *stream,
                    struct string_table *strings)
{
    struct comments comments = {stream, strings};
    const struct ledger_view *view = request->view;
    const char *exe;
    size_t length;

    exe = ledger_view_string(view, view->header->exe, &length);
    add_format(&comments, "# libprof: version " LIBPROF_VERSION);
    add_program(&comments, exe, length);
    add_name(&comments, view);
    add_cmdline(&comments, view);
    add_format(&comments, "# libprof: pid: %u, parent: %u", view->header->pid, view->header->ppid);
    if (request->profile == DUMP_HEAP || request->profile == DUMP_HEAPPEAK)
        add_unseen(&comments, request);
    add_settings(&comments, request);
    for (int stat = 0; stat < LEDGER_STAT_COUNT; stat++) {
        uint64_t count = ledger_view_stat(view, (enum ledger_stat)stat);
        if (count)
            add_format(&comments, "%slibprof: %s: %lu",
                       ledger_stat_is_loss((enum ledger_stat)stat) ? "" : "# ",
                       ledger_stat_sentence((enum ledger_stat)stat), (unsigned long)count);
    }
    add_format(&comments, "# libprof: memory of the tables: %lu of at most %lu bytes",
               (unsigned long)atomic_load(&view->header->total_reserved),
               (unsigned long)view->header->max_memory);
    for (unsigned kind = 0; kind < LEDGER_MEMORY_KINDS; kind++) {
        uint64_t amount = memory_of(request, kind);
        if (amount)
            add_format(&comments, "# libprof: %s %lu kB", memory_names[kind],
                       (unsigned long)amount);
    }
    for (size_t i = 0; i < request->comment_count; i++)
        add_format(&comments, "# libprof: %s", request->comments[i]);
}
