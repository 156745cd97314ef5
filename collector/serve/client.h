/*
 * The commands' side of the collector's HTTP: one request, the whole answer.
 */
#ifndef COLLECTOR_SERVE_CLIENT_H
#define COLLECTOR_SERVE_CLIENT_H

#include "profile/profile.h"
#include <stddef.h>

#define CLIENT_DEFAULT_ADDRESS "127.0.0.1:6060"

/* Most that is taken: PROFILE_MAX_BYTES' gzip is far below. */
#define CLIENT_ANSWER_MAX ((size_t)512 << 20)

/* Called about once a second while nothing comes. */
typedef void client_waiting(void *context, unsigned seconds);

/*
 * Sends METHOD PATH to address ("host:port" or "port"; NULL: the default) and
 * returns the body, malloc'ed, NUL behind it, *size bytes. NULL with *err: nobody
 * listens, or a status other than 200 (its text is in err).
 */
char *client_request(const char *address, const char *method, const char *path, size_t *size,
                     client_waiting *waiting, void *context, struct error *err);

#endif
