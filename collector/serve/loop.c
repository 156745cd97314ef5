#include "serve/loop.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/archive.h"
#include "serve/intake.h"
#include "serve/listen.h"
#include "serve/process_end.h"
#include "serve/rediscover.h"
#include "serve/resident.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Summing a process's sites may take 1/SCAN_SHARE of the time. */
#define SCAN_SHARE 50

char *collector_default_socket(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime && runtime[0] == '/')
        return mem_printf("%s/libprof/socket", runtime);
    return mem_printf("/tmp/libprof-%u/socket", (unsigned)geteuid());
}

/* The kernel's numbers of a process are kept for its end, should it leave none: reading
 * /proc/PID/status takes 0.1 ms. */
#define RESIDENT_NS INT64_C(10000000000)

/* One entry of a process's history. Summing the sites of a large ledger takes
 * long: then it is done as rarely as keeps it under 1/SCAN_SHARE of the time. */
static void record_history(struct process *process)
{
    int64_t start = clock_monotonic();
    struct process_scan *scan = &process->scan;
    if (start >= scan->next_ns) {
        process_read_totals(process, &scan->totals);
        int64_t took = clock_monotonic() - start;
        scan->next_ns = start + took * SCAN_SHARE;
    }
    if (start >= scan->next_resident_ns) {
        resident_keep(process);
        scan->next_resident_ns = start + RESIDENT_NS;
    }
    const struct totals *totals = &scan->totals;
    struct history_entry entry = {
        .time_ns = clock_realtime(),
        .heap_inuse = totals->heap_inuse,
        .heap_alloc = totals->heap_alloc,
        .cpu_ns = totals->cpu_ns,
        .samples = totals->samples,
        .threads = totals->threads,
    };
    history_add(&process->history, &entry);
}

static void every_second(struct collector *collector)
{
    uint64_t expired;
    if (read(collector->timer_fd, &expired, sizeof expired) < 0)
        return;
    size_t n;
    struct process **list = registry_list(&collector->registry, &n);
    for (size_t i = 0; i < n; i++) {
        struct process_status status;
        registry_get_status(&collector->registry, list[i], &status);
        if (status.state == PROCESS_RUNNING)
            record_history(list[i]);
    }
    registry_list_free(list, n);
    process_end_tidy(collector);
}

static bool handle_event(struct collector *collector, const struct epoll_event *event)
{
    switch (*(enum event_source *)event->data.ptr) {
    case SOURCE_SOCKET:
        intake_accept(collector);
        break;
    case SOURCE_CLIENT:
        intake_read(collector, event->data.ptr);
        break;
    case SOURCE_PROCESS:
        process_end_event(collector, event->data.ptr);
        break;
    case SOURCE_TIMER:
        every_second(collector);
        break;
    case SOURCE_STOP:
        return false;
    }
    return true;
}

/* Everything that waits now, without waiting: hellos of processes that ran and
 * ended while we were told to stop. */
static void drain(struct collector *collector)
{
    struct epoll_event event;
    uint64_t stop;
    if (read(collector->stop_fd, &stop, sizeof stop) < 0)
        return;
    while (epoll_wait(collector->epoll_fd, &event, 1, 0) > 0)
        handle_event(collector, &event);
}

static void *collector_main(void *argument)
{
    struct collector *collector = argument;
    size_t found = collector->options.daemon ? rediscover(collector) : 0;
    if (found)
        collector_log(collector, "%zu process%s that ran before this collector found again", found,
                      found > 1 ? "es" : "");
    for (;;) {
        /* One at a time: handling one may free what another's data points to. */
        struct epoll_event event;
        int n = epoll_wait(collector->epoll_fd, &event, 1, 1000);
        if (n > 0 && !handle_event(collector, &event))
            break;
        intake_expire(collector, clock_monotonic());
    }
    drain(collector);
    return NULL;
}

static void add_source(struct collector *collector, int fd, void *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    epoll_ctl(collector->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* A pidfd for each process: the soft limit is for programs that use select. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

bool collector_start(struct collector *collector, const struct collector_options *options,
                     struct error *err)
{
    static enum event_source sources[] = {SOURCE_SOCKET, SOURCE_TIMER, SOURCE_STOP};
    const struct itimerspec second = {{1, 0}, {1, 0}};
    memset(collector, 0, sizeof *collector);
    collector->options = *options;
    raise_descriptors();
    collector->listen_fd = listen_open(options->socket, err);
    if (collector->listen_fd < 0)
        return false;
    if (!welcome_open(&collector->welcome, options->users, options->socket, options->daemon, err)) {
        close(collector->listen_fd);
        unlink(options->socket);
        return false;
    }
    refusals_init(&collector->refusals);
    registry_init(&collector->registry);
    collector->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    collector->stop_fd = eventfd(0, EFD_CLOEXEC);
    collector->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    timerfd_settime(collector->timer_fd, 0, &second, NULL);
    add_source(collector, collector->listen_fd, &sources[0]);
    add_source(collector, collector->timer_fd, &sources[1]);
    add_source(collector, collector->stop_fd, &sources[2]);
    /* Signals are the main thread's business. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int wrong = pthread_create(&collector->thread, NULL, collector_main, collector);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (wrong)
        return fail_with(err, "no thread for the collector: %s", strerror(wrong));
    return true;
}

void collector_stop(struct collector *collector, bool final)
{
    uint64_t one = 1;
    atomic_store(&collector->stopping, true);
    if (write(collector->stop_fd, &one, sizeof one) == sizeof one)
        pthread_join(collector->thread, NULL);
    unlink(collector->options.socket);
    size_t n;
    struct process **list = registry_list(&collector->registry, &n);
    for (size_t i = 0; final && i < n; i++) {
        struct process_status status;
        struct error err;
        registry_get_status(&collector->registry, list[i], &status);
        if (status.state == PROCESS_RUNNING &&
            !archive_write(collector, list[i], ARCHIVE_TOTALS, 0, false, &err))
            collector_log(collector, "%s", err.text);
    }
    registry_list_free(list, n);
    intake_close_all(collector);
    close(collector->listen_fd);
    close(collector->epoll_fd);
    close(collector->stop_fd);
    close(collector->timer_fd);
}

void collector_free(struct collector *collector)
{
    registry_clear(&collector->registry);
    welcome_close(&collector->welcome);
}
