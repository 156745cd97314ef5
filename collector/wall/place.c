#include "wall/place.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Frames in which a lock's function is looked for: the C library's own are few. */
#define LOCK_FRAMES 4

/* file: the first argument is a descriptor. */
static const struct call {
    long number;
    const char *name, *state;
    bool file;
} calls[] = {
    {SYS_read, "read", "io", true},
    {SYS_readv, "readv", "io", true},
    {SYS_pread64, "pread", "io", true},
    {SYS_preadv, "preadv", "io", true},
    {SYS_preadv2, "preadv2", "io", true},
    {SYS_write, "write", "io", true},
    {SYS_writev, "writev", "io", true},
    {SYS_pwrite64, "pwrite", "io", true},
    {SYS_pwritev, "pwritev", "io", true},
    {SYS_pwritev2, "pwritev2", "io", true},
    {SYS_recvfrom, "recv", "io", true},
    {SYS_recvmsg, "recvmsg", "io", true},
    {SYS_recvmmsg, "recvmmsg", "io", true},
    {SYS_sendto, "send", "io", true},
    {SYS_sendmsg, "sendmsg", "io", true},
    {SYS_sendmmsg, "sendmmsg", "io", true},
    {SYS_accept, "accept", "io", true},
    {SYS_accept4, "accept", "io", true},
    {SYS_connect, "connect", "io", true},
    {SYS_sendfile, "sendfile", "io", true},
    {SYS_splice, "splice", "io", true},
    {SYS_tee, "tee", "io", true},
    {SYS_vmsplice, "vmsplice", "io", true},
    {SYS_copy_file_range, "copy_file_range", "io", true},
    {SYS_fsync, "fsync", "io", true},
    {SYS_fdatasync, "fdatasync", "io", true},
    {SYS_sync_file_range, "sync_file_range", "io", true},
    {SYS_fallocate, "fallocate", "io", true},
    {SYS_ftruncate, "ftruncate", "io", true},
    {SYS_getdents64, "getdents", "io", true},
    {SYS_ioctl, "ioctl", "io", true},
    {SYS_close, "close", "io", true},
    {SYS_fstat, "fstat", "io", true},
    {SYS_flock, "flock", "lock", true},
    {SYS_fcntl, "fcntl", "lock", true},
    {SYS_sync, "sync", "io", false},
    {SYS_syncfs, "syncfs", "io", true},
    {SYS_openat, "open", "io", false},
    {SYS_unlinkat, "unlink", "io", false},
    {SYS_renameat2, "rename", "io", false},
    {SYS_statx, "stat", "io", false},
    {SYS_newfstatat, "stat", "io", false},
    {SYS_io_getevents, "io_getevents", "io", false},
    {SYS_io_uring_enter, "io_uring_enter", "io", false},
    {SYS_msgrcv, "msgrcv", "io", false},
    {SYS_msgsnd, "msgsnd", "io", false},
    {SYS_mq_timedreceive, "mq_receive", "io", false},
    {SYS_mq_timedsend, "mq_send", "io", false},
    {SYS_semop, "semop", "lock", false},
    {SYS_semtimedop, "semop", "lock", false},
    {SYS_epoll_pwait, "epoll_wait", "poll", false},
    {SYS_ppoll, "poll", "poll", false},
    {SYS_pselect6, "select", "poll", false},
#ifdef SYS_epoll_wait /* x86-64; newer architectures have the p forms only */
    {SYS_epoll_wait, "epoll_wait", "poll", false},
    {SYS_poll, "poll", "poll", false},
    {SYS_select, "select", "poll", false},
    {SYS_pause, "pause", "signal", false},
    {SYS_open, "open", "io", false},
    {SYS_unlink, "unlink", "io", false},
    {SYS_rename, "rename", "io", false},
    {SYS_vfork, "vfork", "child", false},
#endif
#ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, "epoll_wait", "poll", false},
#endif
    {SYS_nanosleep, "nanosleep", "sleep", false},
    {SYS_clock_nanosleep, "nanosleep", "sleep", false},
    {SYS_restart_syscall, "restart_syscall", "sleep", false},
    {SYS_wait4, "wait", "child", false},
    {SYS_waitid, "wait", "child", false},
    {SYS_rt_sigsuspend, "sigsuspend", "signal", false},
    {SYS_rt_sigtimedwait, "sigwait", "signal", false},
    {SYS_futex, "futex", "futex", false},
};

static const char *file_kind(pid_t pid, uint64_t fd)
{
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, (int)fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0)
        return "";
    target[length] = '\0';
    if (strncmp(target, "socket:", 7) == 0)
        return "socket";
    if (strncmp(target, "pipe:", 5) == 0)
        return "pipe";
    if (strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0)
        return "tty";
    return target[0] == '/' && strncmp(target, "/dev/", 5) != 0 ? "regular" : "other";
}

/* Is it a lock that is waited for, rather than a condition, a semaphore or another thread's end? */
static bool waits_for_lock(struct blocked *blocked, const uint64_t *frames, size_t depth)
{
    for (size_t n = 0; n < depth && n < LOCK_FRAMES; n++) {
        const char *name = blocked_function(blocked, frames[n]);
        if (!name)
            continue;
        if (strstr(name, "cond_") || strstr(name, "sem_") || strstr(name, "join"))
            return false;
        if (strstr(name, "mutex") || strstr(name, "rwlock") || strstr(name, "lll_lock") ||
            strstr(name, "mtx_lock"))
            return true;
    }
    return false;
}

struct place place_of(struct blocked *blocked, pid_t pid, const struct blocked_place *where,
                      const uint64_t *frames, size_t depth)
{
    if (where->number < 0)
        return (struct place){"page-fault", "", ""};
    for (size_t n = 0; n < sizeof calls / sizeof *calls; n++) {
        const struct call *call = &calls[n];
        if (call->number != where->number)
            continue;
        struct place place = {call->state, call->name, ""};
        if (call->file)
            place.file = file_kind(pid, where->arguments[0]);
        if (call->number == SYS_futex && waits_for_lock(blocked, frames, depth))
            place.state = "lock";
        return place;
    }
    return (struct place){"other", "", ""};
}
