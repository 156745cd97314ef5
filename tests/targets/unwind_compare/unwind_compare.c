/*
 * A preload that walks every sampled stack twice, with the cfi engine and with
 * libunwind, and counts how many are the same.
 *
 *   LD_PRELOAD=libunwind_compare.so PROGRAM ...
 *   UNWIND_COMPARE_HZ    samples a second of CPU time (1000; the kernel's tick caps it)
 *   UNWIND_COMPARE_OUT   report goes here instead of standard error
 *   UNWIND_COMPARE_SHOW  how many differences to print in full (20)
 *
 * libunwind takes locks, so a program that is stuck in the loader may hang under
 * this; it is a tool for tests.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "unwind/libunwind.h"
#include "unwind/module.h"
#include "unwind/unwind.h"

#define DEPTH 256

static _Atomic(unsigned long) samples, identical, deeper, complete, theirs_complete, shown;
static unsigned long show_max = 20;
static int report = -1;
static timer_t timer;

static size_t print_stack(char *to, size_t room, const char *title, const uint64_t *frames,
                          unsigned count, unsigned from)
{
    size_t used = (size_t)snprintf(to, room, "  %s (%u frames):", title, count);
    for (unsigned i = from; i < count && i < from + 8 && used < room; i++) {
        const struct module *module = module_get(UNWIND_MODULE(frames[i]));
        const char *name = module && strrchr(module->path, '/') ? strrchr(module->path, '/') + 1
                           : module                             ? module->path
                                                                : "?";
        used += (size_t)snprintf(
            to + used, room - used, " %s+%llx", name,
            (unsigned long long)(UNWIND_ADDRESS(frames[i]) - (module ? module->bias : 0)));
    }
    if (used < room)
        used += (size_t)snprintf(to + used, room - used, "\n");
    return used < room ? used : room;
}

static void show(const uint64_t *ours, unsigned our_count, enum unwind_end our_end,
                 const uint64_t *theirs, unsigned their_count)
{
    static const char *const ends[] = {"complete", "truncated", "broken"};
    char text[2048];
    unsigned first = 0;
    while (first < our_count && first < their_count && ours[first] == theirs[first])
        first++;
    size_t used =
        (size_t)snprintf(text, sizeof text, "differs at frame %u, ours %s\n", first, ends[our_end]);
    unsigned from = first > 1 ? first - 2 : 0;
    used += print_stack(text + used, sizeof text - used, "cfi", ours, our_count, from);
    used += print_stack(text + used, sizeof text - used, "libunwind", theirs, their_count, from);
    (void)!write(report, text, used);
}

static void on_tick(int number, siginfo_t *info, void *context)
{
    /* Not on the program's alternate stack: libunwind doesn't fit on Rust's 8 KiB. */
    uint64_t ours[DEPTH], theirs[DEPTH];
    enum unwind_end our_end, their_end;
    struct arch_regs regs;
    int saved = errno;
    unsigned our_count = unwind_context(context, NULL, ours, DEPTH, &our_end);
    arch_from_context(context, &regs);
    unsigned their_count = libunwind_walk(&regs, 0, theirs, DEPTH, &their_end);
    samples++;
    complete += our_end == UNWIND_COMPLETE;
    theirs_complete += their_end == UNWIND_COMPLETE;
    bool prefix = our_count >= their_count && memcmp(ours, theirs, their_count * sizeof *ours) == 0;
    /* Where code has no tables (libgmp's assembly in cc1) libunwind takes the frame for
     * the outermost and ends; a stack that goes on from there to the thread's start is
     * the better one. */
    if (prefix && our_count == their_count)
        identical++;
    else if (prefix && our_end == UNWIND_COMPLETE)
        deeper++;
    else if (shown++ < show_max)
        show(ours, our_count, our_end, theirs, their_count);
    errno = saved;
}

__attribute__((constructor)) static void start(void)
{
    const char *hz = getenv("UNWIND_COMPARE_HZ"), *out = getenv("UNWIND_COMPARE_OUT"),
               *max = getenv("UNWIND_COMPARE_SHOW");
    struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    /* Not SIGPROF: node, for one, resets every standard signal when it starts. */
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 7};
    struct itimerspec period = {{0, 1000000000 / (hz ? atoi(hz) : 1000)}, {0, 1000000}};
    int fd = out ? open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : STDERR_FILENO;
    report = fcntl(fd, F_DUPFD_CLOEXEC, 200);
    show_max = max ? (unsigned long)atol(max) : show_max;
    if (unwind_init(UNWIND_LIBUNWIND) != UNWIND_LIBUNWIND) {
        dprintf(report, "unwind_compare: libunwind.so.8 can't be loaded\n");
        return;
    }
    unwind_init(UNWIND_CFI);
    sigaction(event.sigev_signo, &action, NULL);
    if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0)
        timer_settime(timer, 0, &period, NULL);
}

__attribute__((destructor)) static void stop(void)
{
    const struct itimerspec none = {{0, 0}, {0, 0}};
    timer_settime(timer, 0, &none, NULL);
    if (samples > 0)
        dprintf(report,
                "%s: %lu samples, identical %.3f%%, complete %.3f%%, libunwind says %.3f%%, "
                "ours goes on where libunwind's ended %.3f%%\n",
                program_invocation_short_name, samples, 100.0 * identical / samples,
                100.0 * complete / samples, 100.0 * theirs_complete / samples,
                100.0 * deeper / samples);
}
