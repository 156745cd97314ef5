/*
 * Further waits that the kernel doesn't restart after a handler: for connections, on sockets
 * with a timeout of their own (SO_RCVTIMEO, SO_SNDTIMEO), and System V IPC.
 * Interrupted by our signal alone, they are made again.
 */
#include "hooks/export.h"
#include "hooks/transfer.h"

EXPORT int accept(int fd, __SOCKADDR_ARG from, socklen_t *from_size)
{
    if (!REPEAT_READY(accept))
        return (int)repeat_raw(-ENOSYS);
    uint64_t start = transfer_started();
    return TRANSFER(start, true, fd, real.accept(fd, from, from_size));
}

EXPORT int accept4(int fd, __SOCKADDR_ARG from, socklen_t *from_size, int flags)
{
    if (!REPEAT_READY(accept4))
        return (int)repeat_raw(-ENOSYS);
    uint64_t start = transfer_started();
    return TRANSFER(start, true, fd, real.accept4(fd, from, from_size, flags));
}

/* An interrupted connect goes on by itself; called again, it waits for that
 * (connect(2), tcp(7)). */
EXPORT int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t to_size)
{
    if (!REPEAT_READY(connect))
        return (int)repeat_raw(-ENOSYS);
    uint64_t start = transfer_started();
    return TRANSFER(start, false, fd, real.connect(fd, to, to_size));
}

EXPORT int msgsnd(int queue, const void *message, size_t size, int flags)
{
    if (!REPEAT_READY(msgsnd))
        return (int)repeat_raw(-ENOSYS);
    return REPEAT(real.msgsnd(queue, message, size, flags), true);
}

EXPORT ssize_t msgrcv(int queue, void *message, size_t size, long type, int flags)
{
    if (!REPEAT_READY(msgrcv))
        return (int)repeat_raw(-ENOSYS);
    return REPEAT(real.msgrcv(queue, message, size, type, flags), true);
}

EXPORT int semop(int set, struct sembuf *operations, size_t count)
{
    if (!REPEAT_READY(semop))
        return (int)repeat_raw(-ENOSYS);
    return REPEAT(real.semop(set, operations, count), true);
}

EXPORT int semtimedop(int set, struct sembuf *operations, size_t count,
                      const struct timespec *timeout)
{
    struct timespec left;
    if (!REPEAT_READY(semtimedop))
        return (int)repeat_raw(-ENOSYS);
    uint64_t end = repeat_end(timeout);
    return REPEAT(real.semtimedop(set, operations, count, timeout),
                  (timeout = repeat_left(timeout, end, &left), true));
}
