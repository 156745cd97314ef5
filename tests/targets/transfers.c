/*
 * Transfers that are whole unless a signal handler runs, in a program that has none: a dump each
 * 20 ms, and CPU samples, must not make them short (signal(7)). The other side is slow, and a
 * process of its own that isn't profiled.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE ((size_t)2 << 20)
#define PIECE ((size_t)20000)
#define RANDOM ((size_t)8 << 20)

static char *data;
static int ends[2];

static ssize_t by_write(void)
{
    return write(ends[0], data, SIZE);
}

static ssize_t by_writev(void)
{
    struct iovec list[] = {{data, 1}, {data, 0}, {data, SIZE / 2}, {data, SIZE / 2 - 1}};
    return writev(ends[0], list, 4);
}

static ssize_t by_send(void)
{
    return send(ends[0], data, SIZE, 0);
}

static ssize_t by_sendto(void)
{
    return sendto(ends[0], data, SIZE, MSG_NOSIGNAL, NULL, 0);
}

static ssize_t by_sendmsg(void)
{
    struct iovec list[] = {{data, SIZE - 7}, {data, 7}};
    struct msghdr message = {.msg_iov = list, .msg_iovlen = 2};
    return sendmsg(ends[0], &message, 0);
}

static ssize_t by_sendfile(void)
{
    char name[] = "/tmp/libprof-transfers-XXXXXX";
    int file = mkstemp(name);
    unlink(name);
    probe_check(write(file, data, SIZE) == (ssize_t)SIZE, "%s", strerror(errno));
    off_t at = 0;
    ssize_t sent = sendfile(ends[0], file, &at, SIZE);
    probe_check(at == sent, "%zd bytes sent, the file stands at %zd", sent, (ssize_t)at);
    close(file);
    return sent;
}

static ssize_t by_recv(void)
{
    return recv(ends[0], data, SIZE, MSG_WAITALL);
}

static ssize_t by_recvmsg(void)
{
    struct iovec list[] = {{data, SIZE / 3}, {data, SIZE - SIZE / 3}};
    struct msghdr message = {.msg_iov = list, .msg_iovlen = 2};
    return recvmsg(ends[0], &message, MSG_WAITALL);
}

static const struct {
    const char *name;
    ssize_t (*transfer)(void);
    enum { PIPE, SOCKETS } through;
    bool receives;
} cases[] = {
    {"write to a pipe", by_write, PIPE, false},
    {"write to a socket", by_write, SOCKETS, false},
    {"writev to a pipe", by_writev, PIPE, false},
    {"writev to a socket", by_writev, SOCKETS, false},
    {"send", by_send, SOCKETS, false},
    {"sendto", by_sendto, SOCKETS, false},
    {"sendmsg", by_sendmsg, SOCKETS, false},
    {"sendfile", by_sendfile, SOCKETS, false},
    {"recv", by_recv, SOCKETS, true},
    {"recvmsg", by_recvmsg, SOCKETS, true},
};

/* Moves SIZE bytes slowly on the other side: what it saw of them. */
static size_t other_side(int fd, bool reads)
{
    char piece[PIECE];
    size_t moved = 0;
    memset(piece, 1, sizeof piece);
    while (moved < SIZE) {
        size_t left = SIZE - moved < PIECE ? SIZE - moved : PIECE;
        ssize_t now = reads ? read(fd, piece, left) : write(fd, piece, left);
        if (now <= 0)
            break;
        moved += (size_t)now;
        usleep(2000);
    }
    return moved;
}

static void run(unsigned n)
{
    int status;
    probe_check((cases[n].through == PIPE ? pipe(ends)
                                          : socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) == 0,
                "%s", strerror(errno));
    int other = cases[n].through == PIPE ? ends[0] : ends[1];
    if (cases[n].through == PIPE)
        ends[0] = ends[1];
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(other_side(other, !cases[n].receives) != SIZE);
    }
    close(other);
    ssize_t moved = cases[n].transfer();
    probe_check(moved == (ssize_t)SIZE, "%s: %zd of %zu, %s", cases[n].name, moved, SIZE,
                strerror(errno));
    close(ends[0]);
    waitpid(child, &status, 0);
    probe_check(status == 0, "%s: the other side got less", cases[n].name);
}

/* Other processes ask: a signal of its own has no effect on who sends it. */
static pid_t start_asking(void)
{
    pid_t parent = getpid(), child = fork();
    while (child == 0) {
        usleep(20000);
        if (getppid() != parent || kill(parent, SIGUSR2) != 0)
            _exit(0);
    }
    return child;
}

int main(void)
{
    probe_watchdog(60);
    data = malloc(RANDOM);
    memset(data, 1, RANDOM);
    pid_t asking = start_asking();
    for (unsigned n = 0; n < sizeof cases / sizeof *cases; n++)
        run(n);
    int device = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t got = read(device, data, RANDOM);
    probe_check(got == (ssize_t)RANDOM, "urandom: %zd", got);
    got = getrandom(data, RANDOM, 0);
    probe_check(got == (ssize_t)RANDOM, "getrandom: %zd", got);
    kill(asking, SIGKILL);
    waitpid(asking, NULL, 0);
    uint32_t dumps = atomic_load(&probe_open()->header->sequence);
    probe_check(dumps > 10, "%u dumps", dumps);
    return 0;
}
