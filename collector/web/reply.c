#include "web/reply.h"

#include <stdlib.h>
#include <string.h>

void json_key(struct writer *w, const char *key, bool first)
{
    writer_printf(w, "%s\"%s\":", first ? "" : ",", key);
}

void json_text(struct writer *w, const char *key, const char *text)
{
    json_key(w, key, false);
    writer_put_json(w, text);
}

void json_number(struct writer *w, const char *key, int64_t number)
{
    json_key(w, key, false);
    writer_put_int(w, number);
}

/* Everything comes from us, nothing runs or looks that isn't in our files, nobody
 * frames us. */
void reply_secure(struct response *response)
{
    response_header(response, "Content-Security-Policy",
                    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                    "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                    "frame-ancestors 'none'");
    response_header(response, "Referrer-Policy", "no-referrer");
    response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
}

void reply_json(struct response *response, struct writer *w)
{
    size_t size = w->size;
    char *data = w->data;
    *w = (struct writer){0};
    response_bytes(response, 200, "application/json", data, size);
    reply_secure(response);
}

void reply_error(struct response *response, int status, const char *text)
{
    struct writer w = {0};
    writer_put(&w, "{\"error\":");
    writer_put_json(&w, text);
    writer_put_char(&w, '}');
    reply_json(response, &w);
    response->status = status;
}

void reply_keep(struct response *response)
{
    response_header(response, "Cache-Control", "private, max-age=3600, immutable");
}

bool reply_check_post(const struct request *request, struct response *response)
{
    if (strncasecmp(request->content_type, "application/json", 16) == 0)
        return true;
    reply_error(response, 415, "send application/json");
    return false;
}
