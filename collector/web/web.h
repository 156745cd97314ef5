/*
 * The web page: what it is made of (routes, embedded files) and what it remembers
 * (views). `prof serve` and `prof web` hand web_routes to http_start with a struct
 * web as the context.
 *
 * Threads: web_new and web_free by one thread; the rest any.
 */
#ifndef COLLECTOR_WEB_WEB_H
#define COLLECTOR_WEB_WEB_H

#include "profile/profile.h"
#include "serve/http.h"

struct web;

/* Never NULL. */
struct web *web_new(void);
/* After http_stop. */
void web_free(struct web *web);

/* A profile that was read from a file, listed on the index page under `name` and
 * never forgotten. It becomes the page's own: symbolized, pruned, not yet merged. */
void web_add_file(struct web *web, const char *name, struct profile *profile);

/* Records what the running processes look like every few seconds, so that windows of
 * the past can be chosen. Until web_stop_recording, which comes before
 * collector_stop. */
void web_start_recording(struct web *web, struct collector *collector);
void web_stop_recording(struct web *web);

/* The context is the struct web. */
extern const struct route web_routes[];

#endif
