/*
 * A collector of its own for one command: a socket in a private folder, the thread that
 * reads it, and with --http the page. Used by prof run and prof attach.
 */
#ifndef COLLECTOR_CLI_SESSION_H
#define COLLECTOR_CLI_SESSION_H

#include "cli/cli.h"
#include "serve/loop.h"

struct session {
    struct collector collector;
    struct http *http; /* NULL: not asked for */
    struct web *web;   /* the same */
    char folder[64], socket_path[96];
};

/* Profiles go to `dir`, which exists. False with *err filled in; nothing is left then. */
bool session_open(struct session *session, const struct cli_options *o, const char *dir,
                  struct error *err);

/* Takes what still waits, writes the profiles of processes that still run, and ends. The
 * collector's processes stay, for a summary, until collector_free. */
void session_close(struct session *session);

#endif
