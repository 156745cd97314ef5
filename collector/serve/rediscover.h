/*
 * Processes that were here before this collector: they reported to an earlier one on the same
 * socket, which was ended, or to none. Their ledgers are found in /proc and taken again: shared,
 * by /proc/PID/map_files, where we may (root); copied whenever they are read, otherwise.
 *
 * Threads: the collector's.
 */
#ifndef COLLECTOR_SERVE_REDISCOVER_H
#define COLLECTOR_SERVE_REDISCOVER_H

#include "serve/collector_state.h"

/* Looks through all processes once. How many were taken. */
size_t rediscover(struct collector *collector);

#endif
