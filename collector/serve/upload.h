/*
 * A dump's files that come as frames, from a process whose memory the collector doesn't hold:
 * under a temporary name first, so that readers never see half a file. A dump whose number is
 * taken, by one that an earlier collector wrote, gets the next that is free.
 *
 * Threads: the collector's.
 */
#ifndef COLLECTOR_SERVE_UPLOAD_H
#define COLLECTOR_SERVE_UPLOAD_H

#include "serve/collector_state.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct upload {
    FILE *file; /* being received; NULL: none */
    char *name, *temporary;
    uint64_t size;            /* bytes so far */
    uint32_t named, numbered; /* the dump's number as the process names it, and as it is here */
};

/* Each: false with *why (static): the sender broke the rules, or the file can't be written. */
bool upload_begin(struct collector *collector, struct upload *upload, const char *name,
                  const char **why);
bool upload_take(struct upload *upload, const unsigned char *bytes, size_t length,
                 const char **why);
/* The file is whole: it gets its name and is listed with the process. */
bool upload_end(struct collector *collector, struct upload *upload, struct process *process,
                const char **why);

/* Removes what isn't whole. */
void upload_drop(struct upload *upload);

#endif
