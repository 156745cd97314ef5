#include "wire/handover.h"

#include "kit/sys.h"
#include "runtime/config.h"
#include "wire/layout.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

_Static_assert(sizeof(struct ledger_header) <= HANDOVER_ANSWER_AT, "the answer has its place");

/* A full queue of waiting connections (a stopped collector, or hundreds of
 * processes starting at once) is tried again this often: 50 ms at worst, once in
 * the life of a process. */
#define CONNECT_TRIES 10
#define CONNECT_PAUSE_NS 5000000
/* And the answer is looked for this often. */
#define ANSWER_PAUSE_NS 2000000
#define PAGE 4096

/* The collector that was sent the memory, as SO_PEERCRED names it (unix(7): who
 * called listen); 0 = nobody was. A forked child's value is its parent's until
 * it makes its own ledger, before which it has nothing to dump. */
static _Atomic(int) collector_pid;
static _Atomic(uint32_t) collector_uid = UINT32_MAX;

/* Of the collector that took our parent: its token, or the page where it will be written. */
static struct handover_kin kin;
static void *parents_page;

int handover_asked_by;

static struct ucred peer_of(int fd)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    if (sys_call5(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return (struct ucred){.uid = UINT32_MAX};
    if (!peer.pid) /* a collector outside of our pid namespace; one such is taken for another */
        peer.pid = -1;
    return peer;
}

static bool is_own_user(uint32_t uid)
{
    return uid == (uint32_t)sys_call0(SYS_geteuid);
}

/* A connected descriptor, or -errno. Never waits but for the pauses above. */
static int connect_now(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timespec pause = {0, CONNECT_PAUSE_NS};
    size_t length = strlen(config.socket);
    if (length == 0 || length >= sizeof address.sun_path)
        return -ENOENT;
    memcpy(address.sun_path, config.socket, length);
    long fd = sys_call3(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return (int)fd;
    long done = -EAGAIN;
    for (int n = 0; n < CONNECT_TRIES && (done == -EAGAIN || done == -EINTR); n++) {
        if (n)
            sys_call2(SYS_nanosleep, &pause, NULL);
        done = sys_call3(SYS_connect, fd, &address,
                         offsetof(struct sockaddr_un, sun_path) + length + 1);
    }
    if (done < 0) {
        sys_call1(SYS_close, fd);
        return (int)done;
    }
    return (int)fd;
}

static struct handover_kin token_of(void *page)
{
    struct handover_answer *answer = handover_answer(page);
    return (struct handover_kin){{atomic_load(&answer->token[0]), atomic_load(&answer->token[1])}};
}

static struct handover_kin parents_token(void)
{
    if (!kin.token[0] && parents_page)
        kin = token_of(parents_page);
    return kin;
}

/* HELLO with the descriptor. It fits the socket's buffer (it is the first thing
 * in it), so there is nothing to wait for. */
static int send_hello(int fd, int memfd, uint64_t size, const char *exe)
{
    size_t path = strnlen(exe, 4096);
    struct handover_kin token = parents_token();
    struct handover_hello hello = {
        .pid = (uint32_t)sys_getpid(),
        .asked_by = (uint32_t)handover_asked_by,
        .boot_ns = sys_clock_ns(CLOCK_BOOTTIME),
        .ledger_size = memfd >= 0 ? size : 0,
    };
    struct handover_frame frame = {
        .magic = HANDOVER_MAGIC,
        .version = HANDOVER_VERSION,
        .type = HANDOVER_HELLO,
        .length = (uint32_t)(sizeof hello + path + 1 + sizeof token),
    };
    struct iovec parts[] = {{&frame, sizeof frame},
                            {&hello, sizeof hello},
                            {(void *)exe, path},
                            {"", 1},
                            {&token, sizeof token}};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof memfd)] = {0};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = sizeof parts / sizeof *parts};
    if (memfd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *passed = CMSG_FIRSTHDR(&message);
        passed->cmsg_level = SOL_SOCKET;
        passed->cmsg_type = SCM_RIGHTS;
        passed->cmsg_len = CMSG_LEN(sizeof memfd);
        memcpy(CMSG_DATA(passed), &memfd, sizeof memfd);
    }
    long sent = sys_call3(SYS_sendmsg, fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return (int)sent;
    return (size_t)sent == sizeof frame + frame.length ? 0 : -EIO;
}

int handover_ledger(int memfd, uint64_t size, const char *exe)
{
    atomic_store(&collector_pid, 0);
    int fd = connect_now();
    if (fd < 0)
        return fd;
    int wrong = send_hello(fd, memfd, size, exe);
    struct ucred peer = peer_of(fd);
    if (!wrong && memfd >= 0)
        atomic_store(&collector_pid, peer.pid);
    atomic_store(&collector_uid, peer.uid);
    sys_call1(SYS_close, fd);
    return wrong;
}

void handover_inherit(void *inherited)
{
    struct handover_kin token = token_of(inherited);
    if (token.token[0]) {
        kin = token;
        return;
    }
    if (parents_token().token[0] || atomic_load(&collector_uid) != 0 ||
        atomic_load(&handover_answer(inherited)->state) != HANDOVER_UNREAD)
        return;
    /* The collector hasn't come to our parent's hello yet, and the ledger is about to be unmapped:
     * its first page is mapped once more (mremap(2), old_size 0). */
    if (parents_page)
        sys_call2(SYS_munmap, parents_page, PAGE);
    long page = sys_call4(SYS_mremap, inherited, 0, PAGE, MREMAP_MAYMOVE);
    parents_page = sys_is_error((void *)page) ? NULL : (void *)page;
}

void handover_vouch(void *page)
{
    if (!config.socket[0] || is_own_user(atomic_load(&collector_uid)))
        return;
    struct handover_kin token = parents_token();
    if (page && !token.token[0])
        token = token_of(page);
    int fd = token.token[0] ? connect_now() : -1;
    if (fd < 0)
        return;
    handover_send(fd, HANDOVER_VOUCH, &token, sizeof token);
    sys_call1(SYS_close, fd);
}

/* True: the collector has our memory, or will have it for sure. */
static bool is_taken(struct handover_answer *answer)
{
    struct timespec pause = {0, ANSWER_PAUSE_NS};
    uint32_t state = atomic_load(&answer->state);
    if (state == HANDOVER_UNREAD && is_own_user(atomic_load(&collector_uid)))
        return true;
    for (int n = 0; state == HANDOVER_UNREAD && n < HANDOVER_PATIENCE_NS / ANSWER_PAUSE_NS; n++) {
        sys_call2(SYS_nanosleep, &pause, NULL);
        state = atomic_load(&answer->state);
    }
    if (state == HANDOVER_UNREAD)
        atomic_compare_exchange_strong(&answer->state, &state, HANDOVER_KEPT);
    return state == HANDOVER_TAKEN;
}

enum handover_outcome handover_dump(void *page, uint32_t sequence, enum handover_reason reason)
{
    struct handover_answer *answer = handover_answer(page);
    int sent_to = atomic_load(&collector_pid);
    if (!sent_to && !atomic_load(&answer->collector))
        return HANDOVER_ELSEWHERE;
    if (!is_taken(answer))
        return HANDOVER_NOT_OURS;
    int fd = connect_now();
    if (fd < 0)
        return HANDOVER_ELSEWHERE;
    struct handover_dump dump = {sequence, reason, sys_clock_ns(CLOCK_REALTIME)};
    int peer = peer_of(fd).pid;
    int wrong = peer == sent_to || peer == atomic_load(&answer->collector)
                    ? handover_send(fd, HANDOVER_DUMP, &dump, sizeof dump)
                    : -ESTALE;
    sys_call1(SYS_close, fd);
    return wrong ? HANDOVER_ELSEWHERE : HANDOVER_DONE_THERE;
}

int handover_open(const char *exe)
{
    int fd = connect_now();
    if (fd < 0)
        return fd;
    int wrong = is_own_user(peer_of(fd).uid) ? send_hello(fd, -1, 0, exe) : -EACCES;
    if (wrong) {
        sys_call1(SYS_close, fd);
        return wrong;
    }
    /* From here on a dump streams: it may wait for the reader, for so long. */
    struct timeval patience = {2, 0};
    sys_call5(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    long flags = sys_call2(SYS_fcntl, fd, F_GETFL);
    if (flags >= 0)
        sys_call3(SYS_fcntl, fd, F_SETFL, flags & ~(long)O_NONBLOCK);
    return fd;
}

int handover_send(int fd, enum handover_type type, const void *body, size_t length)
{
    struct handover_frame frame = {
        .magic = HANDOVER_MAGIC,
        .version = HANDOVER_VERSION,
        .type = (uint16_t)type,
        .length = (uint32_t)length,
    };
    struct iovec parts[] = {{&frame, sizeof frame}, {(void *)body, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = length ? 2 : 1};
    if (length > HANDOVER_FRAME_MAX)
        return -EMSGSIZE;
    while (message.msg_iovlen) {
        long sent = sys_call3(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
        if (sent == -EINTR)
            continue;
        if (sent < 0)
            return (int)sent;
        while (message.msg_iovlen && (size_t)sent >= message.msg_iov->iov_len) {
            sent -= (long)message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + sent;
            message.msg_iov->iov_len -= (size_t)sent;
        }
    }
    return 0;
}
