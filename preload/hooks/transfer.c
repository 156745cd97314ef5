/*
 * Transfers. The kernel breaks one off for any signal handler, ours too, in two ways:
 *
 *   nothing moved yet   EINTR, on sockets with a timeout of their own (without one SA_RESTART
 *                       starts it again): the call is repeated
 *   a part has moved    the part is the result, whatever SA_RESTART says: the rest is moved by
 *                       further calls, if our signal alone interrupted it and if without a
 *                       signal the kernel would have gone on (signal(7), recv(2), getrandom(2))
 *
 * A call that the program made without a hook (a system call of its own) isn't mended; a dump
 * leaves threads that wait in one alone (sample/threads/ask.c).
 */
#include "hooks/transfer.h"
#include "hooks/export.h"

#include <limits.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);
ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags,
                       __SOCKADDR_ARG from, socklen_t *from_size);

bool transfer_wait(int fd, bool receives, uint64_t start)
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

/* What is at the other end decides whether a short result is one of ours. */
enum kind { KIND_OTHER, KIND_FILE, KIND_SOCKET, KIND_STREAM, KIND_MEMORY };

static enum kind kind_of(int fd)
{
    struct stat found;
    int type = 0;
    socklen_t size = sizeof type;
    /* fstat(2) itself: its symbol is glibc 2.33's, and glibc's struct stat is the kernel's */
    if (sys_call2(SYS_fstat, fd, &found) != 0)
        return KIND_FILE;
    if (S_ISSOCK(found.st_mode))
        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM
                   ? KIND_STREAM
                   : KIND_SOCKET;
    /* zero, full, random, urandom: mem(4), random(4) */
    if (S_ISCHR(found.st_mode) && major(found.st_rdev) == 1)
        return minor(found.st_rdev) == 5 || minor(found.st_rdev) >= 7 ? KIND_MEMORY : KIND_OTHER;
    return S_ISREG(found.st_mode) || S_ISBLK(found.st_mode) ? KIND_FILE : KIND_OTHER;
}

/*
 * Moves the rest of a transfer of which `done` bytes have moved, of `size` at `buffer`: what has
 * moved in all. Neither the end nor an error after a part shows, as it wouldn't have in the
 * interrupted call; nor does SIGPIPE.
 */
static ssize_t send_rest(int fd, const char *buffer, size_t size, size_t done, int flags,
                         uint64_t start)
{
    enum kind kind = kind_of(fd);
    int saved = errno;
    ssize_t moved = 1;
    /* a file's part has a reason of its own: no room, the limit of its size (SIGXFSZ) */
    while (kind != KIND_FILE && moved > 0 && done < size && transfer_wait(fd, false, start)) {
        moved = kind == KIND_STREAM || kind == KIND_SOCKET
                    ? TRANSFER(start, false, fd,
                               real.send(fd, buffer + done, size - done, flags | MSG_NOSIGNAL))
                    : REPEAT(real.write(fd, buffer + done, size - done), true);
        done += moved > 0 ? (size_t)moved : 0;
        if (done < size && !eintr_ours())
            break;
    }
    errno = saved;
    return (ssize_t)done;
}

static ssize_t receive_rest(int fd, char *buffer, size_t size, size_t done, int flags,
                            uint64_t start)
{
    int saved = errno;
    ssize_t moved = 1;
    while (moved > 0 && done < size && transfer_wait(fd, true, start)) {
        struct pollfd state = {.fd = fd}; /* an error that waits is the next call's to tell */
        if (poll(&state, 1, 0) > 0 && state.revents & POLLERR)
            break;
        moved = TRANSFER(start, true, fd, real.recv(fd, buffer + done, size - done, flags));
        done += moved > 0 ? (size_t)moved : 0;
        if (done < size && !eintr_ours())
            break;
    }
    errno = saved;
    return (ssize_t)done;
}

/* Does the program wait for all of it, and is it a stream, so that a part is a part? */
static bool wants_all(int fd, int flags)
{
    return (flags & (MSG_WAITALL | MSG_PEEK | MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)) ==
               MSG_WAITALL &&
           kind_of(fd) == KIND_STREAM;
}

/* Did our signal break the call off in the midst of its bytes? From within the hook. */
#define CUT_SHORT(result, size)                                                                    \
    (__builtin_expect((result) > 0 && (size_t)(result) < (size), 0) && eintr_ours())

EXPORT ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    if (!REPEAT_READY(recv))
        return repeat_raw(-ENOSYS);
    uint64_t start = transfer_started();
    ssize_t got = TRANSFER(start, true, fd, real.recv(fd, buffer, size, flags));
    return flags & MSG_WAITALL && CUT_SHORT(got, size) && wants_all(fd, flags)
               ? receive_rest(fd, buffer, size, (size_t)got, flags, start)
               : got;
}

EXPORT ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, __SOCKADDR_ARG from,
                        socklen_t *from_size)
{
    if (!REPEAT_READY(recvfrom))
        return repeat_raw(-ENOSYS);
    uint64_t start = transfer_started();
    ssize_t got =
        TRANSFER(start, true, fd, real.recvfrom(fd, buffer, size, flags, from, from_size));
    return flags & MSG_WAITALL && CUT_SHORT(got, size) && wants_all(fd, flags)
               ? receive_rest(fd, buffer, size, (size_t)got, flags, start)
               : got;
}

/* The forms that fortified programs call; what doesn't fit is libc's to refuse. */
EXPORT ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags)
{
    if (!REPEAT_READY(__recv_chk) || size > room)
        return real.__recv_chk ? real.__recv_chk(fd, buffer, size, room, flags)
                               : repeat_raw(-ENOSYS);
    return recv(fd, buffer, size, flags);
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags,
                              __SOCKADDR_ARG from, socklen_t *from_size)
{
    if (!REPEAT_READY(__recvfrom_chk) || size > room)
        return real.__recvfrom_chk
                   ? real.__recvfrom_chk(fd, buffer, size, room, flags, from, from_size)
                   : repeat_raw(-ENOSYS);
    return recvfrom(fd, buffer, size, flags, from, from_size);
}

EXPORT ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room)
{
    if (REPEAT_READY(__read_chk) && size > room)
        return real.__read_chk(fd, buffer, size, room);
    return read(fd, buffer, size);
}

/* How much a list of pieces is together. */
static size_t list_size(const struct iovec *list, size_t count)
{
    size_t size = 0;
    for (size_t n = 0; list && n < count && n < IOV_MAX; n++)
        size += list[n].iov_len;
    return size;
}

typedef ssize_t move_rest(int fd, char *buffer, size_t size, size_t done, int flags,
                          uint64_t start);

static ssize_t send_piece(int fd, char *buffer, size_t size, size_t done, int flags, uint64_t start)
{
    return send_rest(fd, buffer, size, done, flags, start);
}

/* The rest of a list, piece by piece, until one of them ends early. */
static ssize_t list_rest(move_rest *move, int fd, const struct iovec *list, size_t count,
                         size_t done, int flags, uint64_t start)
{
    size_t before = 0;
    for (size_t n = 0; n < count; before += list[n++].iov_len) {
        size_t size = list[n].iov_len, in_piece = done > before ? done - before : 0;
        if (in_piece >= size)
            continue;
        size_t moved = (size_t)move(fd, list[n].iov_base, size, in_piece, flags, start);
        done = before + moved;
        if (moved < size)
            break;
    }
    return (ssize_t)done;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    if (!REPEAT_READY(recvmsg))
        return repeat_raw(-ENOSYS);
    uint64_t start = transfer_started();
    ssize_t got = TRANSFER(start, true, fd, real.recvmsg(fd, message, flags));
    /* what is passed along belongs to its bytes and ends them (unix(7)) */
    if (!(flags & MSG_WAITALL) || got <= 0 || message->msg_control ||
        !CUT_SHORT(got, list_size(message->msg_iov, message->msg_iovlen)) || !wants_all(fd, flags))
        return got;
    return list_rest(receive_rest, fd, message->msg_iov, message->msg_iovlen, (size_t)got, flags,
                     start);
}

EXPORT ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
    if (!REPEAT_READY(send))
        return repeat_raw(-ENOSYS);
    uint64_t start = transfer_started();
    ssize_t sent = TRANSFER(start, false, fd, real.send(fd, buffer, size, flags));
    return CUT_SHORT(sent, size) ? send_rest(fd, buffer, size, (size_t)sent, flags, start) : sent;
}

EXPORT ssize_t sendto(int fd, const void *buffer, size_t size, int flags, __CONST_SOCKADDR_ARG to,
                      socklen_t to_size)
{
    if (!REPEAT_READY(sendto))
        return repeat_raw(-ENOSYS);
    uint64_t start = transfer_started();
    ssize_t sent = TRANSFER(start, false, fd, real.sendto(fd, buffer, size, flags, to, to_size));
    return CUT_SHORT(sent, size) ? send_rest(fd, buffer, size, (size_t)sent, flags, start) : sent;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!REPEAT_READY(sendmsg))
        return repeat_raw(-ENOSYS);
    uint64_t start = transfer_started();
    ssize_t sent = TRANSFER(start, false, fd, real.sendmsg(fd, message, flags));
    if (sent <= 0 || !CUT_SHORT(sent, list_size(message->msg_iov, message->msg_iovlen)))
        return sent;
    return list_rest(send_piece, fd, message->msg_iov, message->msg_iovlen, (size_t)sent, flags,
                     start);
}

EXPORT ssize_t read(int fd, void *buffer, size_t size)
{
    if (!REPEAT_READY(read))
        return repeat_raw(sys_call3(SYS_read, fd, buffer, size));
    uint64_t start = transfer_started();
    ssize_t got = TRANSFER(start, true, fd, real.read(fd, buffer, size));
    /* of all that is read, only these devices give less for a signal alone */
    size_t done = got > 0 ? (size_t)got : 0;
    while (CUT_SHORT(got, size - (done - (size_t)got)) && kind_of(fd) == KIND_MEMORY) {
        got = REPEAT(real.read(fd, (char *)buffer + done, size - done), true);
        done += got > 0 ? (size_t)got : 0;
    }
    return done ? (ssize_t)done : got;
}

EXPORT ssize_t write(int fd, const void *buffer, size_t size)
{
    if (!REPEAT_READY(write))
        return repeat_raw(sys_call3(SYS_write, fd, buffer, size));
    uint64_t start = transfer_started();
    ssize_t sent = TRANSFER(start, false, fd, real.write(fd, buffer, size));
    return CUT_SHORT(sent, size) ? send_rest(fd, buffer, size, (size_t)sent, 0, start) : sent;
}

EXPORT ssize_t writev(int fd, const struct iovec *list, int count)
{
    if (!REPEAT_READY(writev))
        return repeat_raw(sys_call3(SYS_writev, fd, list, count));
    uint64_t start = transfer_started();
    ssize_t sent = TRANSFER(start, false, fd, real.writev(fd, list, count));
    if (sent <= 0 || !CUT_SHORT(sent, list_size(list, (size_t)count)))
        return sent;
    return list_rest(send_piece, fd, list, (size_t)count, (size_t)sent, 0, start);
}

/* From a file to something that waits. The kernel keeps the place in the file. */
EXPORT ssize_t transfer_sendfile(int to, int from, off_t *offset, size_t size) __asm__("sendfile");

ssize_t transfer_sendfile(int to, int from, off_t *offset, size_t size)
{
    if (!REPEAT_READY(sendfile))
        return repeat_raw(-ENOSYS);
    uint64_t start = transfer_started();
    ssize_t sent = TRANSFER(start, false, to, real.sendfile(to, from, offset, size));
    size_t done = sent > 0 ? (size_t)sent : 0;
    int saved = errno;
    while (CUT_SHORT(sent, size - (done - (size_t)sent)) && kind_of(to) != KIND_FILE &&
           transfer_wait(to, false, start)) {
        sent = TRANSFER(start, false, to, real.sendfile(to, from, offset, size - done));
        done += sent > 0 ? (size_t)sent : 0;
    }
    if (done)
        errno = saved;
    return done ? (ssize_t)done : sent;
}

/* The same function in libc, on 64-bit machines. */
EXPORT ssize_t sendfile64(int to, int from, off64_t *offset, size_t size)
{
    return transfer_sendfile(to, from, offset, size);
}

EXPORT ssize_t getrandom(void *buffer, size_t size, unsigned flags)
{
    if (!REPEAT_READY(getrandom))
        return repeat_raw(sys_call3(SYS_getrandom, buffer, size, flags));
    ssize_t got = REPEAT(real.getrandom(buffer, size, flags), true);
    size_t done = got > 0 ? (size_t)got : 0;
    while (CUT_SHORT(got, size - (done - (size_t)got))) {
        got = REPEAT(real.getrandom((char *)buffer + done, size - done, flags), true);
        done += got > 0 ? (size_t)got : 0;
    }
    return done ? (ssize_t)done : got;
}
