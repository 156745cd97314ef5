#include "attach/introduce.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "wire/handover.h"

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(path) >= sizeof address.sun_path)
        return fd;
    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Both frames at once, with the descriptor. */
static bool send_with(int fd, const void *bytes, size_t size, int ledger)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof ledger)] = {0};
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof ledger);
    memcpy(CMSG_DATA(head), &ledger, sizeof ledger);
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)size;
}

static unsigned char *put_frame(unsigned char *at, enum handover_type type, const void *body,
                                size_t size, const char *text, size_t text_size)
{
    struct handover_frame frame = {.magic = HANDOVER_MAGIC,
                                   .version = HANDOVER_VERSION,
                                   .type = (uint16_t)type,
                                   .length = (uint32_t)(size + text_size)};
    memcpy(at, &frame, sizeof frame);
    memcpy(at + sizeof frame, body, size);
    memcpy(at + sizeof frame + size, text, text_size);
    return at + sizeof frame + size + text_size;
}

bool introduce(const char *socket_path, pid_t pid, int ledger, struct error *err)
{
    unsigned char bytes[2 * sizeof(struct handover_frame) + sizeof(struct handover_hello) +
                        sizeof(struct handover_adopt) + PATH_MAX];
    char proc[64], exe[PATH_MAX];
    struct stat owner = {0}, file;
    snprintf(proc, sizeof proc, "/proc/%d", (int)pid);
    stat(proc, &owner);
    snprintf(proc, sizeof proc, "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(proc, exe, sizeof exe);
    if (fstat(ledger, &file) != 0)
        return fail_with(err, "the ledger cannot be read: %s", strerror(errno));
    struct handover_adopt adopt = {(uint32_t)pid, (uint32_t)owner.st_uid};
    struct handover_hello hello = {.pid = (uint32_t)pid,
                                   .boot_ns = (uint64_t)clock_ns(CLOCK_BOOTTIME),
                                   .ledger_size = (uint64_t)file.st_size};
    unsigned char *end = put_frame(bytes, HANDOVER_ADOPT, &adopt, sizeof adopt, "", 0);
    end =
        put_frame(end, HANDOVER_HELLO, &hello, sizeof hello, exe, length > 0 ? (size_t)length : 0);
    int fd = connect_to(socket_path);
    if (fd < 0)
        return fail_with(err, "no collector at %s: %s", socket_path, strerror(errno));
    bool sent = send_with(fd, bytes, (size_t)(end - bytes), ledger);
    close(fd);
    return sent ||
           fail_with(err, "the collector at %s does not listen: %s", socket_path, strerror(errno));
}
