#include "serve/http.h"

#include "base/mem.h"
#include "serve/query.h"
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct http {
    struct collector *collector;
    struct MHD_Daemon *daemon;
    const struct route *const *tables;
    const char *const *hosts;
    char *default_id;
    void *context;
    char host[256]; /* what was listened on, for the Host check */
    char address[300];
};

/* What is kept between the calls for one request. */
struct pending {
    char *query;
    char *body;
    size_t size;
    bool started, too_large;
};

const char *http_address(const struct http *http)
{
    return http->address;
}

const char *http_default_id(const struct http *http)
{
    return http->default_id;
}

bool http_match(const char *pattern, const char *path, char *copy,
                const char *parameters[HTTP_PARAMETERS_MAX])
{
    size_t n = 0;
    strcpy(copy, path);
    char *at = copy;
    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            if (n < HTTP_PARAMETERS_MAX)
                parameters[n++] = at;
            return true;
        }
        if (*pattern == ':') {
            size_t length = strcspn(at, "/");
            bool last = at[length] == '\0';
            pattern += strcspn(pattern, "/") - 1;
            if (!length || n == HTTP_PARAMETERS_MAX || (last && pattern[1]))
                return false;
            parameters[n++] = at;
            at += length;
            if (!last) { /* the slash: compared here, as it becomes the end of the segment */
                if (pattern[1] != '/')
                    return false;
                pattern++;
                *at++ = '\0';
            }
            continue;
        }
        if (*at++ != *pattern)
            return false;
    }
    return *at == '\0';
}

static bool is_address(const char *host)
{
    unsigned char binary[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, binary) == 1 || inet_pton(AF_INET6, host, binary) == 1;
}

/* Rebinding needs a name that its owner can point at us: addresses, localhost and
 * the machine's own name aren't such. */
bool http_host_allowed(const char *host, const char *own, const char *const *more)
{
    char name[256], machine[256] = "";
    size_t length = strlen(host);
    if (length == 0 || length >= sizeof name)
        return false;
    const char *start = host;
    if (*host == '[') {
        const char *end = strchr(host, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        start = host + 1;
        length = (size_t)(end - start);
    } else {
        length = strcspn(host, ":");
    }
    memcpy(name, start, length);
    name[length] = '\0';
    if (*host == '[')
        return is_address(name);
    if (length && name[length - 1] == '.')
        name[--length] = '\0';
    if (is_address(name) || strcasecmp(name, "localhost") == 0 || strcasecmp(name, own) == 0 ||
        (length > 10 && strcasecmp(name + length - 10, ".localhost") == 0))
        return true;
    gethostname(machine, sizeof machine - 1);
    if (*machine && strcasecmp(name, machine) == 0)
        return true;
    for (; more && *more; more++)
        if (strcasecmp(name, *more) == 0)
            return true;
    return false;
}

char *request_query(const struct request *request, const char *name)
{
    char *value = query_value(request->query, name);
    if (!value && request->body_size &&
        strncasecmp(request->content_type, "application/x-www-form-urlencoded", 33) == 0)
        value = query_value(request->body, name);
    return value;
}

struct process *request_process(struct request *request, struct response *response)
{
    struct process *process = registry_find(&request->collector->registry, request->parameters[0]);
    if (!process)
        response_error(response, 404, "Unknown process");
    return process;
}

bool request_cancelled(void *context)
{
    const struct request *request = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd client = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};
    return poll(&client, 1, 0) > 0 && client.revents & (POLLHUP | POLLERR | POLLRDHUP);
}

void response_bytes(struct response *response, int status, const char *content_type, void *bytes,
                    size_t size)
{
    free(response->owned);
    response->status = status;
    response->content_type = content_type;
    response->body = response->owned = bytes;
    response->size = size;
}

void response_text(struct response *response, int status, const char *content_type,
                   const char *text)
{
    response_bytes(response, status, content_type, mem_strdup(text), strlen(text));
}

void response_header(struct response *response, const char *name, const char *value)
{
    if (response->n_headers < sizeof response->headers / sizeof *response->headers)
        response->headers[response->n_headers++] =
            (struct response_header){name, mem_strdup(value)};
}

void response_error(struct response *response, int status, const char *text)
{
    char *line = mem_printf("%s\n", text);
    response_bytes(response, status, "text/plain; charset=utf-8", line, strlen(line));
}

static void response_clear(struct response *response)
{
    for (size_t i = 0; i < response->n_headers; i++)
        free(response->headers[i].value);
    free(response->owned);
}

static enum MHD_Result send_response(struct MHD_Connection *connection,
                                     const struct response *response)
{
    struct MHD_Response *out = MHD_create_response_from_buffer(
        response->size, (void *)response->body, MHD_RESPMEM_MUST_COPY);
    if (!out)
        return MHD_NO;
    MHD_add_response_header(out, "X-Content-Type-Options", "nosniff");
    if (response->content_type)
        MHD_add_response_header(out, "Content-Type", response->content_type);
    for (size_t i = 0; i < response->n_headers; i++)
        MHD_add_response_header(out, response->headers[i].name, response->headers[i].value);
    /* A handler may have waited for longer than a connection may idle. */
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 300u);
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)response->status, out);
    MHD_destroy_response(out);
    return result;
}

/* The handler of a path, or an error in the response. */
static void dispatch(struct http *http, struct request *request, struct response *response)
{
    char *copy = mem_alloc(strlen(request->path) + 1);
    bool known = false;
    for (const struct route *const *table = http->tables; *table; table++)
        for (const struct route *route = *table; route->methods; route++) {
            if (!http_match(route->pattern, request->path, copy, request->parameters))
                continue;
            known = true;
            if (!(route->methods & (int)request->method))
                continue;
            route->handle(request, response);
            free(copy);
            return;
        }
    free(copy);
    if (known) {
        response_error(response, 405, "Method Not Allowed");
        response_header(response, "Allow", "GET, HEAD");
    } else {
        response_error(response, 404, "404 page not found");
    }
}

static const char *header_value(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value ? value : "";
}

/* A browser says where a POST comes from: only our own pages may send one. */
static bool is_own_origin(struct MHD_Connection *connection)
{
    const char *origin = header_value(connection, "Origin");
    const char *host = strstr(origin, "://");
    return !*origin || (host && strcmp(host + 3, header_value(connection, "Host")) == 0);
}

static void answer(struct http *http, struct MHD_Connection *connection, const char *url,
                   const char *method, const struct pending *pending, struct response *response)
{
    bool is_get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    struct request request = {
        .collector = http->collector,
        .http = http,
        .method = is_get ? HTTP_GET : HTTP_POST,
        .path = url,
        .query = pending->query ? pending->query : "",
        .body = pending->body ? pending->body : "",
        .body_size = pending->size,
        .content_type = header_value(connection, "Content-Type"),
        .connection = connection,
        .context = http->context,
    };
    if (!http_host_allowed(header_value(connection, "Host"), http->host, http->hosts))
        response_error(response, 403, "Forbidden: unknown Host (see prof serve --host)");
    else if (!is_get && !is_own_origin(connection))
        response_error(response, 403, "Forbidden: a request of another site's page");
    else if (!is_get && strcmp(method, "POST") != 0)
        response_error(response, 405, "Method Not Allowed");
    else if (pending->too_large)
        response_error(response, 413, "Request Entity Too Large");
    else
        dispatch(http, &request, response);
}

static void *take_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct pending *pending = mem_zero(1, sizeof *pending);
    const char *query = strchr(uri, '?');
    pending->query = query ? mem_strdup(query + 1) : NULL;
    return pending;
}

static void take_body(struct pending *pending, const char *bytes, size_t size)
{
    if (pending->size + size > HTTP_BODY_MAX) {
        pending->too_large = true;
        return;
    }
    pending->body = mem_resize(pending->body, pending->size + size + 1, 1);
    memcpy(pending->body + pending->size, bytes, size);
    pending->size += size;
    pending->body[pending->size] = '\0';
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    struct pending *pending = *state;
    if (!pending)
        return MHD_NO;
    if (!pending->started) {
        pending->started = true;
        return MHD_YES;
    }
    if (*upload_size) {
        take_body(pending, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    struct response response = {.status = 200};
    answer(context, connection, url, method, pending, &response);
    enum MHD_Result result = send_response(connection, &response);
    response_clear(&response);
    return result;
}

static void finished(void *context, struct MHD_Connection *connection, void **state,
                     enum MHD_RequestTerminationCode code)
{
    struct pending *pending = *state;
    if (!pending)
        return;
    free(pending->query);
    free(pending->body);
    free(pending);
    *state = NULL;
}

/* "host:port", "[v6]:port", ":port" or "port" -> its two parts. */
static bool split_address(const char *address, char *host, size_t size, char *port,
                          size_t port_size)
{
    const char *colon = strrchr(address, ':');
    const char *start = address;
    size_t length = colon ? (size_t)(colon - address) : 0;
    if (!colon && strspn(address, "0123456789") == strlen(address)) {
        snprintf(host, size, "127.0.0.1");
        snprintf(port, port_size, "%s", address);
        return *address != '\0';
    }
    if (!colon || !colon[1])
        return false;
    if (*address == '[' && length && colon[-1] == ']') {
        start++;
        length -= 2;
    } else if (memchr(address, ':', length)) {
        return false; /* a bare IPv6 address */
    }
    snprintf(host, size, "%.*s", (int)length, start);
    snprintf(port, port_size, "%s", colon + 1);
    return length < size;
}

static int listen_on(struct http *http, const char *address, struct error *err)
{
    char port[32];
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int yes = 1;
    if (!split_address(address, http->host, sizeof http->host, port, sizeof port)) {
        fail_with(err, "--http %s: give HOST:PORT, [IPV6]:PORT, :PORT or PORT", address);
        return -1;
    }
    int wrong = getaddrinfo(*http->host ? http->host : NULL, port, &hints, &found);
    if (wrong) {
        fail_with(err, "--http %s: %s", address, gai_strerror(wrong));
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 128) < 0) {
        fail_with(err, "--http %s: %s", address, strerror(errno));
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static void note_address(struct http *http, int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    } bound;
    socklen_t size = sizeof bound;
    char host[128] = "?", port[16] = "?";
    getsockname(fd, &bound.any, &size);
    getnameinfo(&bound.any, size, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    bool v6 = strchr(host, ':') != NULL;
    snprintf(http->address, sizeof http->address, "%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "",
             port);
}

struct http *http_start(struct collector *collector, const struct http_options *options,
                        struct error *err)
{
    struct http *http = mem_zero(1, sizeof *http);
    http->collector = collector;
    http->tables = options->tables;
    http->hosts = options->hosts;
    http->context = options->context;
    http->default_id = options->default_id ? mem_strdup(options->default_id) : NULL;
    int fd = listen_on(http, options->address, err);
    if (fd >= 0) {
        note_address(http, fd);
        http->daemon = MHD_start_daemon(
            MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL,
            NULL, handle, http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, take_uri,
            NULL, MHD_OPTION_NOTIFY_COMPLETED, finished, NULL, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, 30u,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536, MHD_OPTION_END);
        if (!http->daemon) {
            fail_with(err, "--http %s: the server can't be started", options->address);
            close(fd);
        }
    }
    if (!http->daemon) {
        free(http->default_id);
        free(http);
        return NULL;
    }
    return http;
}

void http_stop(struct http *http)
{
    if (!http)
        return;
    MHD_stop_daemon(http->daemon);
    free(http->default_id);
    free(http);
}
