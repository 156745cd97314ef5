/*
 * The collector's socket in the file system: its folder, its mode, what was left by a collector
 * that is gone.
 */
#ifndef COLLECTOR_SERVE_LISTEN_H
#define COLLECTOR_SERVE_LISTEN_H

#include "base/error.h"

/* Binds and listens: 0600 in a folder that is 0700 and ours; root's is open to all, and
 * intake.c tells who they are. -1 with *err. A socket file that nobody listens on any more is
 * replaced. */
int listen_open(const char *path, struct error *err);

#endif
