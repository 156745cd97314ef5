/* How the handlers of /debug/pprof answer: as net/http/pprof does. Any HTTP thread. */
#ifndef COLLECTOR_SERVE_PPROF_ANSWER_H
#define COLLECTOR_SERVE_PPROF_ANSWER_H

#include "profile/profile.h"
#include "serve/http.h"

/* A window longer than a day is a mistake, and holds a connection. */
#define PPROF_SECONDS_MAX 86400

/* An error's text, with the header by which Go's clients know it. */
void pprof_error(struct response *response, int status, const char *text);

/* The profile's bytes, as a file of that name and suffix. */
void pprof_send(struct response *response, const struct profile *profile, const char *name,
                const char *suffix);

/* A number of the query; 0 where it is absent or none, as strconv.Atoi with its error ignored. */
int64_t pprof_integer(struct request *request, const char *name);

#endif
