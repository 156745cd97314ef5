#include "probe.h"
#include "unwind/unwind.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static bool find_memory(uintptr_t *start, uintptr_t *end)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    bool found = false;
    /* Several lines one after the other: what isn't in use yet has no access. */
    while (maps && fgets(line, sizeof line, maps)) {
        uintptr_t low, high;
        if (!strstr(line, "memfd:libprof") || sscanf(line, "%lx-%lx", &low, &high) != 2)
            continue;
        if (!found)
            *start = low;
        *end = high;
        found = true;
    }
    if (maps)
        fclose(maps);
    return found;
}

const struct ledger_view *probe_open(void)
{
    static struct ledger_view view;
    uintptr_t start, end;
    if (!find_memory(&start, &end)) {
        fprintf(stderr, "no ledger in this process: is libprof.so preloaded?\n");
        exit(2);
    }
    const char *wrong = ledger_view_open(&view, (const void *)start, end - start);
    if (wrong) {
        fprintf(stderr, "the ledger: %s\n", wrong);
        exit(2);
    }
    return &view;
}

static bool frame_is(uint64_t frame, const char *function)
{
    Dl_info info;
    return dladdr((void *)(uintptr_t)UNWIND_ADDRESS(frame), &info) && info.dli_sname &&
           strcmp(info.dli_sname, function) == 0;
}

static bool stack_has(const struct ledger_view *view, uint32_t stack, const char *function,
                      bool leaf_only)
{
    struct ledger_stack_view frames;
    if (!ledger_view_stack(view, stack, &frames))
        return false;
    for (uint32_t n = 0; n < frames.depth && (n == 0 || !leaf_only); n++)
        if (frame_is(frames.frames[n], function))
            return true;
    return false;
}

bool probe_stack_has(uint32_t stack, const char *function)
{
    return stack_has(probe_open(), stack, function, false);
}

static uint64_t sum(enum ledger_kind kind, const char *function, const char *other, bool leaf_only,
                    bool values)
{
    const struct ledger_view *view = probe_open();
    uint64_t total = 0;
    struct ledger_site_view site;
    for (uint32_t n = 1; n < ledger_view_sites(view); n++)
        if (ledger_view_site(view, n, &site) && site.kind == kind &&
            (!function || stack_has(view, site.stack, function, leaf_only)) &&
            (!other || stack_has(view, site.stack, other, false)))
            total += values ? site.value : site.count;
    return total;
}

uint64_t probe_count(enum ledger_kind kind, const char *function, bool leaf_only)
{
    return sum(kind, function, NULL, leaf_only, false);
}

uint64_t probe_count_both(enum ledger_kind kind, const char *function, const char *other)
{
    return sum(kind, function, other, false, false);
}

uint64_t probe_value(enum ledger_kind kind, const char *function, bool leaf_only)
{
    return sum(kind, function, NULL, leaf_only, true);
}

double probe_complete(enum ledger_kind kind)
{
    const struct ledger_view *view = probe_open();
    uint64_t complete = 0, all = 0;
    struct ledger_site_view site;
    struct ledger_stack_view stack;
    for (uint32_t n = 1; n < ledger_view_sites(view); n++) {
        if (!ledger_view_site(view, n, &site) || site.kind != kind ||
            !ledger_view_stack(view, site.stack, &stack))
            continue;
        all += site.count;
        complete += stack.end == UNWIND_COMPLETE ? site.count : 0;
    }
    return all ? (double)complete / (double)all : 0;
}

uint64_t probe_rusage_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

static uint64_t thread_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void probe_burn(uint64_t ns)
{
    uint64_t end = thread_cpu_ns() + ns;
    do {
        for (unsigned n = 0; n < 5000; n++)
            __asm__ volatile("" : : "r"(n));
    } while (thread_cpu_ns() < end);
}

_Noreturn void probe_fail(const char *file, int line, const char *condition, const char *format,
                          ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: %s: ", file, line, condition);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    _exit(1);
}

void probe_watchdog(unsigned seconds)
{
    alarm(seconds);
}

unsigned probe_long(unsigned factor)
{
    return getenv("LIBPROF_TEST_LONG") ? factor : 1;
}
