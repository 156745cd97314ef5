#include "serve/intake.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/archive.h"
#include "serve/frame.h"
#include "serve/map_ledger.h"
#include "serve/process_end.h"
#include "serve/upload.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENT_PATIENCE_NS INT64_C(10000000000)

static const char not_ours[] = "it is another user's (prof serve --users)";

struct client {
    enum event_source source; /* SOURCE_CLIENT */
    struct client *next, **link;
    int fd;
    int passed_fd; /* a descriptor that came along, or -1 */
    struct ucred peer;
    struct process *process; /* after its hello, or NULL */
    struct frame_reader reader;
    int64_t last_ns;
    struct upload upload;
    bool is_welcome;
    bool adopts;   /* prof attach speaks for the process in `peer` */
    char *program; /* what its hello said, for the log; or NULL */
};

static void client_close(struct collector *collector, struct client *client)
{
    upload_drop(&client->upload);
    free(client->program);
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

/* What follows the path, of a target that says more. */
static struct handover_kin kin_of(const char *exe, size_t length)
{
    struct handover_kin kin = {0};
    size_t path = strnlen(exe, length);
    if (length == path + 1 + sizeof kin)
        memcpy(&kin, exe + path + 1, sizeof kin);
    return kin;
}

/* It waited for us in vain, and has written its profiles itself. */
static bool has_given_up(const struct mapped_ledger *ledger)
{
    return ledger->control &&
           atomic_load(&handover_answer(ledger->control)->state) == HANDOVER_KEPT;
}

/* Why a process isn't taken, whatever it says; NULL: it is. */
static const char *objection(const struct client *client)
{
    if (!client->is_welcome)
        return not_ours;
    int pidfd = client->peer.pid > 0 ? -1 : process_end_open(client->fd, 0, 0);
    if (client->peer.pid <= 0 && pidfd < 0)
        return "its pid namespace can't be seen from here: that takes Linux 6.5, or a collector "
               "outside of containers";
    if (pidfd >= 0)
        close(pidfd);
    return NULL;
}

/* Takes the ledger that came with a hello, or tells the process why not: *why, if it was not NULL,
 * or what is wrong with the ledger. False with *why. */
static bool take_ledger(struct collector *collector, struct client *client, uint64_t size,
                        struct mapped_ledger *ledger, const char **why)
{
    if (client->passed_fd < 0) {
        *why = "a ledger was announced and none came";
        return false;
    }
    const char *objection = *why;
    *why = map_ledger(client->passed_fd, size, ledger);
    close(client->passed_fd);
    client->passed_fd = -1;
    if (!*why && has_given_up(ledger))
        *why = "it ended before it was taken, and has written its profiles to its LIBPROF_DIR";
    else if (!*why)
        *why = objection;
    welcome_answer(&collector->welcome, ledger, *why ? HANDOVER_REFUSED : HANDOVER_TAKEN);
    if (*why)
        unmap_ledger(ledger);
    return !*why;
}

static bool is_same_image(const struct process *known, const struct mapped_ledger *ledger)
{
    return known->ledger.base && (int64_t)ledger->view.header->start_ns == known->start_ns;
}

/* The running process at the other end. */
static struct process *find_sender(struct collector *collector, const struct client *client)
{
    if (client->peer.pid > 0)
        return registry_find_running(&collector->registry, client->peer.pid);
    int pidfd = process_end_open(client->fd, 0, 0);
    struct process *process = pidfd < 0 ? NULL : registry_find_pidfd(&collector->registry, pidfd);
    if (pidfd >= 0)
        close(pidfd);
    return process;
}

/* The process that says hello, if it is there already: as another program, or to send a dump;
 * that may be read after its end has been noticed. */
static struct process *find_known(struct collector *collector, const struct client *client,
                                  const struct handover_hello *hello)
{
    struct registry *registry = &collector->registry;
    struct process_status status;
    char id[16];
    struct process *known = find_sender(collector, client);
    if (known || hello->ledger_size || client->peer.pid <= 0)
        return known;
    snprintf(id, sizeof id, "%d", (int)client->peer.pid);
    known = registry_find(registry, id);
    if (!known)
        return NULL;
    registry_get_status(registry, known, &status);
    int64_t age = clock_ns(CLOCK_BOOTTIME) - (int64_t)hello->boot_ns;
    if (clock_realtime() - age <= status.end_ns)
        return known;
    process_release(known);
    return NULL;
}

static bool take_hello(struct collector *collector, struct client *client,
                       const struct handover_hello *hello, const char *exe, const char **why)
{
    struct process_hello entry = {
        .pid = client->peer.pid,
        .own_pid = (pid_t)hello->pid,
        .uid = client->peer.uid,
        .asked_by = hello->asked_by <= 64 ? (int)hello->asked_by : 0,
        .exe = exe,
    };
    *why = objection(client);
    if (hello->ledger_size &&
        !take_ledger(collector, client, hello->ledger_size, &entry.ledger, why))
        return false;
    if (*why)
        return false;
    struct process *known = find_known(collector, client, hello);
    if (known && (!hello->ledger_size || is_same_image(known, &entry.ledger))) {
        unmap_ledger(&entry.ledger);
        client->process = known; /* a dump in full follows, or it was found before its hello */
        return true;
    }
    if (known) {
        process_end_by_exec(collector, known); /* it went on as another program */
        process_release(known);
    }
    entry.pidfd = process_end_open(client->adopts ? -1 : client->fd, entry.pid, hello->boot_ns);
    client->process = process_new(&entry);
    registry_add(&collector->registry, client->process);
    process_end_watch(collector, client->process);
    return true;
}

static bool take_dump(struct collector *collector, struct client *client,
                      const struct handover_dump *dump)
{
    struct process *process = find_sender(collector, client);
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
    if (type == HANDOVER_ADOPT && !client->process && welcome_owner(client->peer.uid) &&
        length == sizeof(struct handover_adopt)) {
        struct handover_adopt adopt;
        memcpy(&adopt, body, sizeof adopt);
        client->adopts = true; /* who may trace it may speak for it: our user, or root */
        client->peer.pid = (pid_t)adopt.pid;
        client->peer.uid = adopt.uid;
        return true;
    }
    if (type == HANDOVER_HELLO && !client->process && length >= sizeof hello) {
        const char *exe = (const char *)body + sizeof hello;
        struct handover_kin kin = kin_of(exe, length - sizeof hello);
        memcpy(&hello, body, sizeof hello);
        free(client->program);
        client->program = mem_strdup(exe);
        client->is_welcome = client->is_welcome || welcome_kin(&collector->welcome, &kin) ||
                             welcome_peer(&collector->welcome, &collector->registry, &client->peer);
        return take_hello(collector, client, &hello, exe, why);
    }
    if (type == HANDOVER_VOUCH && length == sizeof(struct handover_kin)) {
        struct handover_kin kin;
        memcpy(&kin, body, sizeof kin);
        if (client->is_welcome || welcome_kin(&collector->welcome, &kin))
            welcome_vouch(&collector->welcome, client->peer.pid);
        return true;
    }
    if (type == HANDOVER_DUMP && length == sizeof dump) { /* of a stranger nothing is known */
        memcpy(&dump, body, sizeof dump);
        return take_dump(collector, client, &dump);
    }
    if (!client->is_welcome) {
        *why = not_ours;
        return false;
    }
    if (!client->process)
        return false;
    if (type == HANDOVER_FILE)
        return upload_begin(collector, &client->upload, (const char *)body, why);
    if (type == HANDOVER_DATA)
        return upload_take(&client->upload, body, length, why);
    return type == HANDOVER_DONE && upload_end(collector, &client->upload, client->process, why);
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

static void note_refusal(struct collector *collector, const struct client *client, const char *why)
{
    struct refusal refusal;
    const char *program = client->program ? client->program : "";
    if (refusals_note(&collector->refusals, client->peer.pid, client->peer.uid, program, why,
                      &refusal))
        collector_log(collector, "process %d (%s, user %s) was turned away: %s", (int)refusal.pid,
                      *refusal.program ? refusal.program : "?", refusal.user, why);
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
        if (got > 0)
            note_refusal(collector, client, why);
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
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client->peer, &size) < 0) {
        client_close(collector, client);
        return;
    }
    /* Now, for it may be gone before its hello is read. Who isn't may show its family's token yet,
     * and is to be told in its memory. */
    client->is_welcome = welcome_peer(&collector->welcome, &collector->registry, &client->peer);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    /* One at a time, and read in the order in which they have something to say: a process
     * whose hello comes a moment after its connection may be another program, with a
     * connection of its own, before all that wait here are accepted. */
    epoll_ctl(collector->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}
