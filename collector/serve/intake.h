/*
 * The collector's socket: connections of processes, their frames
 * (runtime/handover.h), the ledgers they pass. Everything that comes in is
 * untrusted: lengths are bounded, a ledger must be a sealed memfd, who the sender
 * is the kernel says.
 *
 * Threads: the collector's.
 */
#ifndef COLLECTOR_SERVE_INTAKE_H
#define COLLECTOR_SERVE_INTAKE_H

#include "runtime/handover.h"
#include "serve/collector.h"

/* Binds and listens: 0600 in a folder that is 0700 and ours. -1 with *err. A
 * socket file that nobody listens on any more is replaced. */
int intake_listen(const char *path, struct error *err);

/* Connections read at a time; more wait in the kernel's queue. */
#define INTAKE_CLIENTS_MAX 512

/* Accepts what waits. */
void intake_accept(struct collector *collector);

struct client;
/* Reads what came on a connection and acts on whole frames. */
void intake_read(struct collector *collector, struct client *client);
/* Drops connections that said nothing for ten seconds. */
void intake_expire(struct collector *collector, int64_t now_ns);
void intake_close_all(struct collector *collector);

/*
 * The frames of one connection, apart from sockets (fuzzed). Bytes go in as they
 * come; whole frames come out through the callback. False: the sender broke the
 * rules (*why, static) and is to be cut off.
 */
struct frame_reader {
    struct handover_frame frame; /* as far as `have` reaches */
    size_t have;                 /* bytes of header and body so far */
    unsigned char *body;         /* malloc'ed; NUL after the last byte */
};
typedef bool frame_handler(void *context, enum handover_type type, const unsigned char *body,
                           size_t length, const char **why);
bool frame_reader_feed(struct frame_reader *reader, const unsigned char *bytes, size_t length,
                       frame_handler *handle, void *context, const char **why);
void frame_reader_free(struct frame_reader *reader);

/* Maps a passed ledger. NULL: *why says what is wrong with it. Doesn't close fd. */
void *intake_map_ledger(int fd, uint64_t claimed, struct ledger_view *view, size_t *size,
                        struct ledger_header **control, const char **why);

#endif
