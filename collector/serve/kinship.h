/*
 * Whose process a connection's peer is, for a collector that root runs: servers start as root
 * and their workers give that up before they do anything worth a sample.
 */
#ifndef COLLECTOR_SERVE_KINSHIP_H
#define COLLECTOR_SERVE_KINSHIP_H

#include "serve/registry.h"

/* Does the process report here, or was it started by one that does, or by the collector itself
 * (prof run), however many processes are between them? False too when it has ended, or one between
 * them has: orphans can't be told. */
bool kinship_descends(struct registry *registry, pid_t pid);

#endif
