#include "serve/pprof_answer.h"

#include <stdlib.h>

#include "base/mem.h"
#include "profile/profile_io.h"
#include "serve/query.h"

#define OCTETS "application/octet-stream"

void pprof_error(struct response *response, int status, const char *text)
{
    response_error(response, status, text);
    response_header(response, "X-Go-Pprof", "1");
}

void pprof_send(struct response *response, const struct profile *profile, const char *name,
                const char *suffix)
{
    unsigned char *bytes;
    size_t size;
    struct error err;
    if (!profile_encode(profile, true, &bytes, &size, &err)) {
        pprof_error(response, 500, err.text);
        return;
    }
    char *disposition = mem_printf("attachment; filename=\"%s%s\"", name, suffix);
    response_bytes(response, 200, OCTETS, bytes, size);
    response_header(response, "Content-Disposition", disposition);
    free(disposition);
}

/* As strconv.Atoi with its error ignored. */
int64_t pprof_integer(struct request *request, const char *name)
{
    char *text = request_query(request, name);
    int64_t value = 0;
    if (text && !query_integer(text, &value))
        value = 0;
    free(text);
    return value;
}
