#include "serve/process_end.h"

#include "base/clock.h"
#include "serve/archive.h"
#include "serve/last_trace.h"
#include "serve/proc_stat.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* linux/pidfd.h since 6.13; exit status since 6.15. */
struct pidfd_info_0 {
    uint64_t mask;
    uint64_t cgroupid;
    uint32_t pid, tgid, ppid, ids[8];
    int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_info_0) == 64, "PIDFD_INFO_SIZE_VER0");
#define PIDFD_GET_INFO_0 _IOWR(0xFF, 11, struct pidfd_info_0)
#define SO_PEERPIDFD_0 77 /* asm-generic/socket.h */
#define PIDFD_INFO_EXIT_0 (UINT64_C(1) << 3)

int process_end_open(int connection, pid_t pid, uint64_t boot_ns)
{
    /* Linux 6.5; from 6.16 on also for one that was reaped meanwhile. */
    int pidfd = -1;
    socklen_t size = sizeof pidfd;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD_0, &pidfd, &size) == 0)
        return pidfd;
    struct proc_stat stat;
    pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pidfd < 0)
        return -1;
    /* A process can't have started after its own hello: ticks are of CLOCK_BOOTTIME. */
    long hz = sysconf(_SC_CLK_TCK);
    if (proc_stat_read(pid, &stat) &&
        (double)stat.start_ticks / (double)hz > (double)boot_ns * 1e-9 + 2.0 / (double)hz) {
        close(pidfd);
        return -1;
    }
    return pidfd;
}

static bool read_exit(struct process *process, int *status)
{
    struct pidfd_info_0 info = {.mask = PIDFD_INFO_EXIT_0};
    struct proc_stat stat;
    if (process->pidfd < 0)
        return false;
    if (ioctl(process->pidfd, PIDFD_GET_INFO_0, &info) == 0 && info.mask & PIDFD_INFO_EXIT_0) {
        *status = info.exit_code;
        return true;
    }
    if (process->pid <= 0 || !proc_stat_read(process->pid, &stat) ||
        (stat.state != 'Z' && stat.state != 'X'))
        return false;
    *status = stat.exit_code;
    return true;
}

static void unwatch(struct collector *collector, struct process *process)
{
    if (!process->watched)
        return;
    epoll_ctl(collector->epoll_fd, EPOLL_CTL_DEL, process->pidfd, NULL);
    process->watched = false;
    process_release(process);
}

/* Of a ledger that is only copied there is nothing newer than the last copy; a dump that the
 * process sent at its end is. */
static bool has_sent_its_last(const struct process *process)
{
    const struct process_dump *dump = process->dumps;
    return process->ledger.copy.copied_from && dump &&
           dump->time_ns - clock_realtime() + clock_monotonic() >= process->ledger.copied_ns;
}

/* The last account: from here on nothing changes in the ledger. */
static void write_final(struct collector *collector, struct process *process)
{
    struct error err;
    last_trace_write(collector, process);
    if (has_sent_its_last(process))
        return;
    if (process->ledger.base && !archive_write(collector, process, ARCHIVE_TOTALS, 0, true, &err))
        collector_log(collector, "%s (%s): %s", process_id(process), process_name(process),
                      err.text);
}

void process_end_watch(struct collector *collector, struct process *process)
{
    process->source = SOURCE_PROCESS;
    /* Edge-triggered: a zombie nobody reaps stays readable; its reaping is another edge. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = process};
    if (process->pidfd >= 0 &&
        epoll_ctl(collector->epoll_fd, EPOLL_CTL_ADD, process->pidfd, &event) == 0) {
        process->watched = true;
        process_hold(process);
        return;
    }
    write_final(collector, process);
    registry_set_ended(&collector->registry, process, PROCESS_ENDED, false, 0);
}

void process_end_event(struct collector *collector, struct process *process)
{
    struct process_status known;
    int status = 0;
    registry_get_status(&collector->registry, process, &known);
    bool has_status = read_exit(process, &status);
    if (known.state == PROCESS_RUNNING) {
        write_final(collector, process);
        has_status = has_status || read_exit(process, &status);
    }
    registry_set_ended(&collector->registry, process, PROCESS_ENDED, has_status, status);
    if (has_status || known.state != PROCESS_RUNNING)
        unwatch(collector, process);
}

void process_end_by_exec(struct collector *collector, struct process *process)
{
    write_final(collector, process);
    registry_set_ended(&collector->registry, process, PROCESS_EXECED, false, 0);
    unwatch(collector, process);
}

/* Bytes of the ledger that are in memory, as far as the process says. */
static uint64_t ledger_bytes(const struct process *process)
{
    uint64_t reserved = atomic_load(&process->ledger.view.header->total_reserved);
    return reserved < process->ledger.size ? reserved : process->ledger.size;
}

void process_end_tidy(struct collector *collector)
{
    size_t n, ended = 0;
    uint64_t kept = 0;
    struct process **list = registry_list(&collector->registry, &n);
    for (size_t i = n; i-- > 0;) { /* newest first */
        struct process *process = list[i];
        struct process_status status;
        registry_get_status(&collector->registry, process, &status);
        if (status.state == PROCESS_RUNNING)
            continue;
        ended++;
        if (process->ledger.base) {
            uint64_t bytes = ledger_bytes(process);
            if (kept + bytes > PROCESS_END_LEDGERS_MAX)
                process_give_up_ledger(process);
            else
                kept += bytes;
        }
        if (collector->options.keep && ended > collector->options.keep) {
            if (collector->options.remove_forgotten)
                archive_remove(collector, process);
            unwatch(collector, process);
            registry_remove(&collector->registry, process);
        }
    }
    registry_list_free(list, n);
}
