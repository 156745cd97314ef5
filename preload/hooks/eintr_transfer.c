/*
 * Transfers that the kernel doesn't restart after a handler: on sockets with a
 * timeout of their own (SO_RCVTIMEO, SO_SNDTIMEO; without one SA_RESTART does),
 * and System V IPC. Interrupted by our signal alone, they are made again; a
 * socket is waited for beforehand with what is left of its time, because the
 * call itself would start from the full time again.
 */
#include "hooks/export.h"
#include "hooks/repeat.h"

/* When the transfer started: the coarse clock (4 ms) costs a few ns on every
 * call, the exact one as much as a small transfer. */
static uint64_t started(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Waits until the socket is ready or its time is over; false: over (EAGAIN), or
 * the wait was interrupted by a signal of the program's (EINTR). */
static bool wait_ready(int fd, bool receives, uint64_t start)
{
    struct timeval limit = {0, 0};
    socklen_t size = sizeof limit;
    if (getsockopt(fd, SOL_SOCKET, receives ? SO_RCVTIMEO : SO_SNDTIMEO, &limit, &size) != 0 ||
        (limit.tv_sec == 0 && limit.tv_usec == 0))
        return true; /* none: the call waits for ever */
    uint64_t end = start + (uint64_t)limit.tv_sec * 1000000000u + (uint64_t)limit.tv_usec * 1000u;
    struct pollfd ready = {.fd = fd, .events = receives ? POLLIN : POLLOUT};
    int found = poll(&ready, 1, repeat_left_ms(0, end));
    if (found == 0)
        errno = EAGAIN;
    return found > 0;
}

#define TRANSFER(name, receives, fd, call)                                                         \
    do {                                                                                           \
        if (!REPEAT_READY(name))                                                                   \
            return (__typeof__(call))repeat_raw(-ENOSYS);                                          \
        uint64_t start = started();                                                                \
        return REPEAT(call, {                                                                      \
            if (!wait_ready(fd, receives, start))                                                  \
                break;                                                                             \
        });                                                                                        \
    } while (0)

EXPORT ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    TRANSFER(recv, true, fd, real.recv(fd, buffer, size, flags));
}

EXPORT ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, __SOCKADDR_ARG from,
                        socklen_t *from_size)
{
    TRANSFER(recvfrom, true, fd, real.recvfrom(fd, buffer, size, flags, from, from_size));
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    TRANSFER(recvmsg, true, fd, real.recvmsg(fd, message, flags));
}

EXPORT ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
    TRANSFER(send, false, fd, real.send(fd, buffer, size, flags));
}

EXPORT ssize_t sendto(int fd, const void *buffer, size_t size, int flags, __CONST_SOCKADDR_ARG to,
                      socklen_t to_size)
{
    TRANSFER(sendto, false, fd, real.sendto(fd, buffer, size, flags, to, to_size));
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    TRANSFER(sendmsg, false, fd, real.sendmsg(fd, message, flags));
}

EXPORT int accept(int fd, __SOCKADDR_ARG from, socklen_t *from_size)
{
    TRANSFER(accept, true, fd, real.accept(fd, from, from_size));
}

EXPORT int accept4(int fd, __SOCKADDR_ARG from, socklen_t *from_size, int flags)
{
    TRANSFER(accept4, true, fd, real.accept4(fd, from, from_size, flags));
}

/* An interrupted connect goes on by itself; called again, it waits for that
 * (connect(2), tcp(7)). */
EXPORT int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t to_size)
{
    TRANSFER(connect, false, fd, real.connect(fd, to, to_size));
}

EXPORT ssize_t read(int fd, void *buffer, size_t size)
{
    if (!REPEAT_READY(read))
        return repeat_raw(sys_call3(SYS_read, fd, buffer, size));
    TRANSFER(read, true, fd, real.read(fd, buffer, size));
}

EXPORT ssize_t write(int fd, const void *buffer, size_t size)
{
    if (!REPEAT_READY(write))
        return repeat_raw(sys_call3(SYS_write, fd, buffer, size));
    TRANSFER(write, false, fd, real.write(fd, buffer, size));
}

EXPORT int msgsnd(int queue, const void *message, size_t size, int flags)
{
    if (!REPEAT_READY(msgsnd))
        return (int)repeat_raw(-ENOSYS);
    return REPEAT(real.msgsnd(queue, message, size, flags), (void)0);
}

EXPORT ssize_t msgrcv(int queue, void *message, size_t size, long type, int flags)
{
    if (!REPEAT_READY(msgrcv))
        return (int)repeat_raw(-ENOSYS);
    return REPEAT(real.msgrcv(queue, message, size, type, flags), (void)0);
}

EXPORT int semop(int set, struct sembuf *operations, size_t count)
{
    if (!REPEAT_READY(semop))
        return (int)repeat_raw(-ENOSYS);
    return REPEAT(real.semop(set, operations, count), (void)0);
}

EXPORT int semtimedop(int set, struct sembuf *operations, size_t count,
                      const struct timespec *timeout)
{
    struct timespec left;
    if (!REPEAT_READY(semtimedop))
        return (int)repeat_raw(-ENOSYS);
    uint64_t end = repeat_end(timeout);
    return REPEAT(real.semtimedop(set, operations, count, timeout),
                  timeout = repeat_left(timeout, end, &left));
}
