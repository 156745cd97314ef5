/*
 * Dumps with a collector: it writes them from the memory it shares with us; where
 * it has none, they are streamed over its socket.
 *
 * Context: dump context.
 */
#ifndef LIBPROF_DUMP_DELIVER_H
#define LIBPROF_DUMP_DELIVER_H

#include "wire/encode.h"
#include "wire/handover.h"

/*
 * Has the collector take a dump of the profiles in the mask `chosen`. walk: what
 * brings the threads' stacks up to date, or NULL. False: LIBPROF_SOCKET isn't set or
 * nobody is there; the directory has to do.
 */
bool deliver_to_collector(struct dump_request *request, enum handover_reason reason,
                          uint32_t chosen, void (*walk)(void));

#endif
