/*
 * Connections of processes on the collector's socket: their frames (wire/handover.h) and the
 * ledgers they pass. Everything that comes in is untrusted: lengths are bounded, a ledger must be
 * a sealed memfd, and the kernel says who the sender is.
 *
 * Threads: the collector's.
 */
#ifndef COLLECTOR_SERVE_INTAKE_H
#define COLLECTOR_SERVE_INTAKE_H

#include "serve/collector_state.h"

/* Connections read at a time; more wait in the kernel's queue. */
#define INTAKE_CLIENTS_MAX 512

/* Accepts one connection that waits. */
void intake_accept(struct collector *collector);

/* Reads what came on a connection and acts on whole frames. */
void intake_read(struct collector *collector, struct client *client);
/* Drops connections that said nothing for ten seconds. */
void intake_expire(struct collector *collector, int64_t now_ns);
void intake_close_all(struct collector *collector);

#endif
