/*
 * Telling a collector of a process that was attached to and that cannot reach the collector's
 * socket itself: it lives in another mount namespace, say.
 */
#ifndef COLLECTOR_ATTACH_INTRODUCE_H
#define COLLECTOR_ATTACH_INTRODUCE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* Hands the ledger (its memfd, which stays the caller's) over on the socket, in the name of
 * the process. False with *err filled in. */
bool introduce(const char *socket_path, pid_t pid, int ledger, struct error *err);

#endif
