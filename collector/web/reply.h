/*
 * Answers of the page's routes: JSON under construction, and the headers that keep
 * hostile names harmless in a browser.
 */
#ifndef COLLECTOR_WEB_REPLY_H
#define COLLECTOR_WEB_REPLY_H

#include "export/writer.h"
#include "serve/http.h"
#include <stdbool.h>
#include <stdint.h>

/* "key":value, with a comma before it unless first. */
void json_key(struct writer *w, const char *key, bool first);
void json_text(struct writer *w, const char *key, const char *text);
void json_number(struct writer *w, const char *key, int64_t number);

/* What w holds becomes the body, w is empty then. */
void reply_json(struct response *response, struct writer *w);
/* {"error": text} */
void reply_error(struct response *response, int status, const char *text);
/* The answer never changes: a browser may keep it for a while. */
void reply_keep(struct response *response);
/* Content-Security-Policy and its like, on every answer. */
void reply_secure(struct response *response);

/* Is this a POST that only a page of ours can have sent? A foreign page's form or fetch
 * can't carry JSON's content type without asking first, and we never agree. False:
 * the answer says so. */
bool reply_check_post(const struct request *request, struct response *response);

#endif
