#include "serve/intake.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/archive.h"
#include "serve/death.h"
#include "serve/kinship.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Largest ledger taken: LIBPROF_MAX_MEMORY=64g in exact mode. Address space only. */
#define LEDGER_SIZE_MAX (UINT64_C(1) << 40)
/* A file sent as frames, bytes: twice what the largest real profiles take. */
#define FILE_SIZE_MAX (UINT64_C(256) << 20)
#define CLIENT_PATIENCE_NS INT64_C(10000000000)

struct client {
    enum event_source source; /* SOURCE_CLIENT */
    struct client *next, **link;
    int fd;
    int passed_fd; /* a descriptor that came along, or -1 */
    struct ucred peer;
    struct process *process; /* after its hello, or NULL */
    struct frame_reader reader;
    int64_t last_ns;
    FILE *file; /* being received: a nameless temporary file becomes name */
    char *file_name, *file_temporary;
    uint64_t file_size;
    bool adopts; /* prof attach speaks for the process in `peer` */
};

/* Makes the socket's folder, and sees that nobody else can put things into it. */
static bool prepare_folder(const char *path, struct error *err)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    struct stat info;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(length ? length : 1) : 1,
             slash ? path : ".");
    if (mkdir(folder, geteuid() ? 0700 : 0711) == 0)
        return true;
    if (errno != EEXIST)
        return fail_with(err, "the socket's folder %s can't be made: %s", folder, strerror(errno));
    if (stat(folder, &info) < 0)
        return fail_with(err, "%s: %s", folder, strerror(errno));
    if (info.st_uid != geteuid() && info.st_uid != 0)
        return fail_with(err, "%s belongs to another user: its socket can't be trusted", folder);
    if (info.st_mode & 022 && !(info.st_mode & S_ISVTX))
        return fail_with(err, "%s can be written by others: choose a folder with mode 0700",
                         folder);
    return true;
}

/* Somebody listens there already? A socket file without a listener is removed. */
static bool remove_stale(const struct sockaddr_un *address, struct error *err)
{
    struct stat info;
    if (lstat(address->sun_path, &info) < 0)
        return true;
    if (!S_ISSOCK(info.st_mode))
        return fail_with(err, "%s exists and is not a socket", address->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result = connect(fd, (const struct sockaddr *)address, sizeof *address);
    bool alive = result == 0 || errno == EAGAIN;
    close(fd);
    if (alive)
        return fail_with(err, "a collector listens on %s already", address->sun_path);
    unlink(address->sun_path);
    return true;
}

int intake_listen(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fail_with(err, "the socket's path is longer than %zu bytes: %s",
                  sizeof address.sun_path - 1, path);
        return -1;
    }
    strcpy(address.sun_path, path);
    if (!prepare_folder(path, err) || !remove_stale(&address, err))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Root's is for the workers, too, that gave up being root: is_welcome() tells who they are. */
    mode_t old = umask(geteuid() ? 0177 : 0111);
    int result = bind(fd, (const struct sockaddr *)&address, sizeof address);
    umask(old);
    if (result < 0 || listen(fd, 4096) < 0) {
        fail_with(err, "socket %s: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static void drop_file(struct client *client)
{
    if (client->file)
        fclose(client->file);
    if (client->file_temporary)
        unlink(client->file_temporary);
    free(client->file_name);
    free(client->file_temporary);
    client->file = NULL;
    client->file_name = client->file_temporary = NULL;
    client->file_size = 0;
}

static void client_close(struct collector *collector, struct client *client)
{
    drop_file(client);
    frame_reader_free(&client->reader);
    if (client->passed_fd >= 0)
        close(client->passed_fd);
    if (client->process)
        process_release(client->process);
    close(client->fd); /* leaves epoll by itself */
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
    collector->client_count--;
    free(client);
}

void intake_close_all(struct collector *collector)
{
    while (collector->clients)
        client_close(collector, collector->clients);
}

void intake_expire(struct collector *collector, int64_t now_ns)
{
    struct client *next;
    for (struct client *client = collector->clients; client; client = next) {
        next = client->next;
        if (now_ns - client->last_ns > CLIENT_PATIENCE_NS)
            client_close(collector, client);
    }
}

void *intake_map_ledger(int fd, uint64_t claimed, struct ledger_view *view, size_t *size,
                        struct ledger_header **control, const char **why)
{
    struct stat info;
    int seals = fcntl(fd, F_GET_SEALS);
    *control = NULL;
    *why = NULL;
    /* Without the seal the sender could shrink it and have us die by SIGBUS. */
    if (seals < 0 || !(seals & F_SEAL_SHRINK))
        *why = "the ledger is not a sealed memfd";
    else if (fstat(fd, &info) < 0 || (uint64_t)info.st_size != claimed)
        *why = "the ledger's size is not what was said";
    else if (claimed < sizeof(struct ledger_header) || claimed > LEDGER_SIZE_MAX)
        *why = "the ledger's size is out of range";
    if (*why)
        return NULL;
    void *base = mmap(NULL, claimed, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (base == MAP_FAILED) {
        *why = "the ledger can't be mapped";
        return NULL;
    }
    *why = ledger_view_open(view, base, claimed);
    if (*why) {
        munmap(base, claimed);
        return NULL;
    }
    madvise(base, claimed, MADV_DONTDUMP);
    void *page = mmap(NULL, sizeof **control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *control = page == MAP_FAILED ? NULL : page;
    *size = claimed;
    return base;
}

static bool take_hello(struct collector *collector, struct client *client,
                       const struct handover_hello *hello, const char *exe, const char **why)
{
    struct process_hello entry = {
        .pid = client->peer.pid,
        .uid = client->peer.uid,
        .asked_by = hello->asked_by <= 64 ? (int)hello->asked_by : 0,
        .exe = exe,
    };
    struct process *known = registry_find_running(&collector->registry, entry.pid);
    if (!hello->ledger_size) {
        /* A dump in full follows; the process itself may be known already. */
        client->process = known ? known : NULL;
        if (known)
            return true;
    } else {
        if (client->passed_fd < 0) {
            *why = "a ledger was announced and none came";
            if (known)
                process_release(known);
            return false;
        }
        entry.ledger_base = intake_map_ledger(client->passed_fd, hello->ledger_size, &entry.view,
                                              &entry.ledger_size, &entry.control, why);
        close(client->passed_fd);
        client->passed_fd = -1;
        if (!entry.ledger_base) {
            if (known)
                process_release(known);
            return false;
        }
    }
    if (known) {
        death_replaced(collector, known); /* it went on as another program */
        process_release(known);
    }
    entry.pidfd = death_open(client->adopts ? -1 : client->fd, entry.pid, hello->boot_ns);
    client->process = registry_add(&collector->registry, &entry);
    death_watch(collector, client->process);
    return true;
}

static bool open_file(struct collector *collector, struct client *client, const char *name,
                      const char **why)
{
    uint32_t sequence;
    unsigned profile;
    if (!archive_check_name(name, &sequence, &profile)) {
        *why = "a file name that isn't one of libprof's";
        return false;
    }
    drop_file(client);
    mkdir(collector->options.dir, 0777);
    client->file_name = mem_strdup(name);
    client->file_temporary = mem_printf("%s/.%s.%d", collector->options.dir, name, client->fd);
    int fd =
        open(client->file_temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    client->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (client->file)
        return true;
    collector_log(collector, "%s: %s", client->file_temporary, strerror(errno));
    *why = "the file can't be written";
    return false;
}

static bool finish_file(struct collector *collector, struct client *client, const char **why)
{
    uint32_t sequence = 0;
    unsigned profile = 0;
    *why = "a file can't be finished";
    if (!client->file)
        return false;
    bool good = fclose(client->file) == 0;
    client->file = NULL;
    archive_check_name(client->file_name, &sequence, &profile);
    char *path = mem_printf("%s/%s", collector->options.dir, client->file_name);
    good = good && rename(client->file_temporary, path) == 0;
    if (good) {
        free(client->file_temporary);
        client->file_temporary = NULL;
        archive_list(collector, client->process, sequence, 1u << profile, false);
    }
    free(path);
    drop_file(client);
    return good;
}

static bool take_data(struct client *client, const unsigned char *body, size_t length,
                      const char **why)
{
    client->file_size += length;
    if (client->file && client->file_size <= FILE_SIZE_MAX &&
        fwrite(body, 1, length, client->file) == length)
        return true;
    *why = "bytes without a file, or too many";
    return false;
}

static bool take_dump(struct collector *collector, struct client *client,
                      const struct handover_dump *dump)
{
    struct process *process = registry_find_running(&collector->registry, client->peer.pid);
    struct error err;
    if (!process)
        return true; /* forgotten meanwhile: nothing to write from */
    /* At its end the process is still there: what it does until then belongs into
     * the final dump, which its death brings. */
    if (dump->reason == HANDOVER_ASKED &&
        !archive_write(collector, process, ~0u, dump->sequence, false, &err))
        collector_log(collector, "%s", err.text);
    process_release(process);
    return true;
}

struct frame_context {
    struct collector *collector;
    struct client *client;
};

static bool take_frame(void *context, enum handover_type type, const unsigned char *body,
                       size_t length, const char **why)
{
    struct collector *collector = ((struct frame_context *)context)->collector;
    struct client *client = ((struct frame_context *)context)->client;
    struct handover_hello hello;
    struct handover_dump dump;
    *why = "a frame out of place";
    if (type == HANDOVER_ADOPT && !client->process && length == sizeof(struct handover_adopt)) {
        struct handover_adopt adopt;
        memcpy(&adopt, body, sizeof adopt);
        client->adopts = true; /* who may trace it may speak for it: our user, or root */
        client->peer.pid = (pid_t)adopt.pid;
        client->peer.uid = adopt.uid;
        return true;
    }
    if (type == HANDOVER_HELLO && !client->process && length >= sizeof hello) {
        memcpy(&hello, body, sizeof hello);
        return take_hello(collector, client, &hello, (const char *)body + sizeof hello, why);
    }
    if (type == HANDOVER_DUMP && length == sizeof dump) {
        memcpy(&dump, body, sizeof dump);
        return take_dump(collector, client, &dump);
    }
    if (!client->process)
        return false;
    if (type == HANDOVER_FILE)
        return open_file(collector, client, (const char *)body, why);
    if (type == HANDOVER_DATA)
        return take_data(client, body, length, why);
    return type == HANDOVER_DONE && finish_file(collector, client, why);
}

/* The first descriptor is kept for the hello, all others are closed. */
static void take_descriptors(struct client *client, struct msghdr *message)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            if (client->passed_fd < 0)
                client->passed_fd = fd;
            else
                close(fd);
        }
    }
}

void intake_read(struct collector *collector, struct client *client)
{
    static unsigned char buffer[65536]; /* the collector's thread alone is here */
    struct frame_context context = {collector, client};
    const char *why = NULL;
    /* A connection that never stops sending mustn't keep the others waiting. */
    for (int turn = 0; turn < 16; turn++) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)];
        struct iovec part = {buffer, sizeof buffer};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof control};
        ssize_t got = recvmsg(client->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got > 0)
            take_descriptors(client, &message);
        client->last_ns = clock_monotonic();
        if (got > 0 &&
            frame_reader_feed(&client->reader, buffer, (size_t)got, take_frame, &context, &why))
            continue;
        if (got > 0) {
            atomic_fetch_add(&collector->refused, 1);
            collector_log(collector, "process %d was turned away: %s", (int)client->peer.pid, why);
        }
        client_close(collector, client);
        return;
    }
}

/* Makes room: whoever has said nothing for the longest time has to go. */
static void close_most_silent(struct collector *collector)
{
    struct client *silent = collector->clients;
    for (struct client *client = silent; client; client = client->next)
        if (client->last_ns < silent->last_ns)
            silent = client;
    if (silent)
        client_close(collector, silent);
}

/* Our own processes and root's; root's collector knows, besides, those that its processes
 * started, whoever they became. */
static bool is_welcome(struct collector *collector, const struct ucred *peer)
{
    if (peer->pid <= 0)
        return false;
    if (peer->uid == geteuid() || peer->uid == 0)
        return true;
    return geteuid() == 0 && kinship_descends(&collector->registry, peer->pid);
}

void intake_accept(struct collector *collector)
{
    if (collector->client_count >= INTAKE_CLIENTS_MAX)
        close_most_silent(collector);
    int fd = accept4(collector->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct client *client = mem_zero(1, sizeof *client);
    socklen_t size = sizeof client->peer;
    client->source = SOURCE_CLIENT;
    client->fd = fd;
    client->passed_fd = -1;
    client->last_ns = clock_monotonic();
    client->next = collector->clients;
    client->link = &collector->clients;
    if (client->next)
        client->next->link = &client->next;
    collector->clients = client;
    collector->client_count++;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client->peer, &size) < 0 ||
        !is_welcome(collector, &client->peer)) {
        atomic_fetch_add(&collector->refused, 1);
        client_close(collector, client);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    /* One at a time, and read in the order in which they have something to say: a process
     * whose hello comes a moment after its connection may be another program, with a
     * connection of its own, before all that wait here are accepted. */
    epoll_ctl(collector->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}
