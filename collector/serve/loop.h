/*
 * The collector's thread: it waits for the socket, the processes' ends and the clock, and calls
 * what handles each. Used by `prof serve` as a daemon and inside `prof run`.
 *
 * Threads: these functions are called by one thread.
 */
#ifndef COLLECTOR_SERVE_LOOP_H
#define COLLECTOR_SERVE_LOOP_H

#include "base/error.h"
#include "serve/collector_state.h"

/* Makes the socket and starts the thread. False: *err says why; nothing is left. */
bool collector_start(struct collector *collector, const struct collector_options *options,
                     struct error *err);

/* Takes what waits on the socket, writes the final dumps of processes that still
 * run when `final` (`prof run`'s end), and ends. */
void collector_stop(struct collector *collector, bool final);

/* Forgets the processes: after collector_stop, when nobody asks any more. */
void collector_free(struct collector *collector);

/* $XDG_RUNTIME_DIR/libprof/socket, or /tmp/libprof-UID/socket: malloc'ed. */
char *collector_default_socket(void);

#endif
