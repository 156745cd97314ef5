/*
 * Waits that the kernel never restarts, whatever SA_RESTART says (signal(7)):
 * poll and its kind, sleeps, waits for signals. A dump that asks an idle thread
 * for its stack would show as EINTR; when our signal was the only cause, the
 * call is made again with what is left of its time.
 *
 * Masks that are given along must not keep our signal out (hazard 15).
 */
#include "hooks/export.h"
#include "hooks/repeat.h"
#include "hooks/sigmask.h"
#include "sample/core/own_signal.h"
#include "sample/dispatch.h"

#include <signal.h>
#include <unistd.h>

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t size);

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    if (!REPEAT_READY(poll))
        return (int)repeat_raw(-ENOSYS);
    uint64_t end = repeat_end_ms(timeout);
    return REPEAT(real.poll(fds, count, timeout), (timeout = repeat_left_ms(timeout, end), true));
}

EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size)
{
    if (!REPEAT_READY(__poll_chk))
        return (int)repeat_raw(-ENOSYS);
    uint64_t end = repeat_end_ms(timeout);
    return REPEAT(real.__poll_chk(fds, count, timeout, size),
                  (timeout = repeat_left_ms(timeout, end), true));
}

EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                 const sigset_t *mask)
{
    struct timespec left;
    if (!REPEAT_READY(ppoll))
        return (int)repeat_raw(-ENOSYS);
    uint64_t end = repeat_end(timeout);
    return UNDER_MASK(mask, REPEAT(real.ppoll(fds, count, timeout, mask),
                                   (timeout = repeat_left(timeout, end, &left), true)));
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                       const sigset_t *mask, size_t size)
{
    struct timespec left;
    if (!REPEAT_READY(__ppoll_chk))
        return (int)repeat_raw(-ENOSYS);
    uint64_t end = repeat_end(timeout);
    return UNDER_MASK(mask, REPEAT(real.__ppoll_chk(fds, count, timeout, mask, size),
                                   (timeout = repeat_left(timeout, end, &left), true)));
}

/* Linux writes what is left into *timeout and leaves the sets alone on EINTR. */
EXPORT int select(int count, fd_set *in, fd_set *out, fd_set *special, struct timeval *timeout)
{
    if (!REPEAT_READY(select))
        return (int)repeat_raw(-ENOSYS);
    return REPEAT(real.select(count, in, out, special, timeout), true);
}

EXPORT int pselect(int count, fd_set *in, fd_set *out, fd_set *special,
                   const struct timespec *timeout, const sigset_t *mask)
{
    struct timespec left;
    if (!REPEAT_READY(pselect))
        return (int)repeat_raw(-ENOSYS);
    uint64_t end = repeat_end(timeout);
    return UNDER_MASK(mask, REPEAT(real.pselect(count, in, out, special, timeout, mask),
                                   (timeout = repeat_left(timeout, end, &left), true)));
}

EXPORT int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    if (!REPEAT_READY(epoll_wait))
        return (int)repeat_raw(-ENOSYS);
    uint64_t end = repeat_end_ms(timeout);
    return REPEAT(real.epoll_wait(epoll, events, count, timeout),
                  (timeout = repeat_left_ms(timeout, end), true));
}

EXPORT int epoll_pwait(int epoll, struct epoll_event *events, int count, int timeout,
                       const sigset_t *mask)
{
    if (!REPEAT_READY(epoll_pwait))
        return (int)repeat_raw(-ENOSYS);
    uint64_t end = repeat_end_ms(timeout);
    return UNDER_MASK(mask, REPEAT(real.epoll_pwait(epoll, events, count, timeout, mask),
                                   (timeout = repeat_left_ms(timeout, end), true)));
}

EXPORT int epoll_pwait2(int epoll, struct epoll_event *events, int count,
                        const struct timespec *timeout, const sigset_t *mask)
{
    struct timespec left;
    if (!REPEAT_READY(epoll_pwait2)) /* glibc before 2.35 */
        return (int)repeat_raw(-ENOSYS);
    uint64_t end = repeat_end(timeout);
    return UNDER_MASK(mask, REPEAT(real.epoll_pwait2(epoll, events, count, timeout, mask),
                                   (timeout = repeat_left(timeout, end, &left), true)));
}

EXPORT int nanosleep(const struct timespec *time, struct timespec *remaining)
{
    struct timespec left = {0};
    if (!REPEAT_READY(nanosleep))
        return (int)repeat_raw(sys_call2(SYS_nanosleep, time, remaining));
    int result = REPEAT(real.nanosleep(time, &left), (time = &left, true));
    if (result == -1 && errno == EINTR && remaining)
        *remaining = left;
    return result;
}

/* Gives its error back instead of setting errno. An absolute time stays as it is. */
EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
                           struct timespec *remaining)
{
    struct timespec left;
    bool relative = !(flags & TIMER_ABSTIME);
    int error;
    if (!REPEAT_READY(clock_nanosleep))
        return ENOSYS;
    for (;;) {
        eintr_forget();
        error = real.clock_nanosleep(clock, flags, time, relative ? &left : remaining);
        if (error != EINTR || !eintr_ours())
            break;
        if (relative)
            time = &left;
    }
    if (error == EINTR && relative && remaining)
        *remaining = left;
    return error;
}

/* What it is made of in libc, where nobody could repeat it. */
EXPORT int usleep(useconds_t time)
{
    struct timespec wait = {(time_t)(time / 1000000), (long)(time % 1000000) * 1000};
    return nanosleep(&wait, NULL);
}

EXPORT unsigned sleep(unsigned time)
{
    struct timespec wait = {(time_t)time, 0};
    int saved = errno;
    if (nanosleep(&wait, &wait) == -1)
        return (unsigned)wait.tv_sec;
    errno = saved;
    return 0;
}

/*
 * The waits that only a handler ends keep our signal out, rather than being repeated: if it came
 * just as the program's handler had returned, it would look as if it had come alone, and the
 * wait would go on for ever. CPU samples of handlers that run within are taken at its end;
 * a dump reads the thread's stack from outside (sample/threads/waiting.h).
 */
EXPORT int pause(void)
{
    if (!REPEAT_READY(pause) || !real.sigsuspend)
        return (int)repeat_raw(-ENOSYS);
    sigset_t now;
    if (!sigmask_shuts_out() || real.sigprocmask(SIG_SETMASK, NULL, &now) != 0)
        return REPEAT(real.pause(), true);
    sigaddset(&now, own_signal);
    EINTR_SAVE_FRAME_POINTER();
    return real.sigsuspend(&now);
}

EXPORT int sigsuspend(const sigset_t *mask)
{
    if (!REPEAT_READY(sigsuspend))
        return (int)repeat_raw(-ENOSYS);
    sigset_t copy;
    if (!sigmask_shuts_out() || !sys_is_readable((uintptr_t)mask))
        return UNDER_MASK(mask, REPEAT(real.sigsuspend(mask), true));
    copy = *mask;
    sigaddset(&copy, own_signal);
    EINTR_SAVE_FRAME_POINTER();
    return real.sigsuspend(&copy);
}

/*
 * Waits for signals. Ours may be in the set: one of the program's may come by that number. What
 * comes of us is handled, and the wait goes on.
 */
EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
    siginfo_t came;
    int signo;
    if (!REPEAT_READY(sigwaitinfo))
        return (int)repeat_raw(-ENOSYS);
    do
        signo = REPEAT(real.sigwaitinfo(set, &came), true);
    while (signo > 0 && dispatch_waited_for(&came));
    if (signo > 0 && info)
        *info = came;
    return signo;
}

EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    struct timespec left;
    siginfo_t came;
    if (!REPEAT_READY(sigtimedwait))
        return (int)repeat_raw(-ENOSYS);
    uint64_t end = repeat_end(timeout);
    int signo;
    for (;;) {
        signo = REPEAT(real.sigtimedwait(set, &came, timeout),
                       (timeout = repeat_left(timeout, end, &left), true));
        if (signo <= 0 || !dispatch_waited_for(&came))
            break;
        timeout = repeat_left(timeout, end, &left);
    }
    if (signo > 0 && info)
        *info = came;
    return signo;
}

/* Made of the one above, since ours are told by what came with them; repeats after EINTR. */
EXPORT int sigwait(const sigset_t *set, int *signo)
{
    siginfo_t info;
    int saved = errno, came, error;
    do
        came = sigwaitinfo(set, &info);
    while (came == -1 && errno == EINTR);
    error = came == -1 ? errno : 0;
    errno = saved;
    if (!error)
        *signo = came;
    return error;
}
