/*
 * The collector's HTTP server: a table of routes, and the request and response
 * that their handlers see. libmicrohttpd does the protocol; a connection has its
 * thread, so a handler may take its time.
 *
 * Before any handler the server checks: the Host header (a web page of a foreign
 * name that resolves to us by DNS rebinding gets 403), the method, the sizes.
 * Every response carries X-Content-Type-Options: nosniff; no CORS header is ever
 * sent.
 *
 * How to add pages:
 *
 *     static void get_thing(struct request *request, struct response *response)
 *     {
 *         struct process *process = request_process(request, response);
 *         if (!process)
 *             return;                                    // 404 is in the response
 *         char *kind = request_query(request, "kind");   // malloc'ed or NULL
 *         ...
 *         response_text(response, 200, "application/json", text);
 *         process_release(process);
 *     }
 *     const struct route web_routes[] = {
 *         {HTTP_GET, "/api/thing/:id", get_thing},       // :id is one segment
 *         {HTTP_GET, "/static/ *", get_file},            // without the blank: the rest
 *         {0, NULL, NULL},
 *     };
 *
 * and hand the table to http_start. The first route that matches wins, in the
 * order of the tables.
 */
#ifndef COLLECTOR_SERVE_HTTP_H
#define COLLECTOR_SERVE_HTTP_H

#include "base/error.h"
#include "serve/collector_state.h"
#include <stdbool.h>
#include <stddef.h>

/* Longest body taken: go tool pprof's symbol requests are some 100 KB. */
#define HTTP_BODY_MAX ((size_t)4 << 20)
#define HTTP_CONNECTIONS_MAX 128
#define HTTP_PARAMETERS_MAX 4

enum http_method {
    HTTP_GET = 1, /* and HEAD */
    HTTP_POST = 2,
};

struct MHD_Connection;
struct http;

struct request {
    struct collector *collector;
    struct http *http;
    enum http_method method;
    const char *path;  /* decoded, without the query */
    const char *query; /* as it came, without '?'; "" if none */
    const char *body;  /* NUL behind it; "" if none */
    size_t body_size;
    const char *content_type;                    /* of the body; "" if none */
    const char *parameters[HTTP_PARAMETERS_MAX]; /* what stands for :name and *, in order */
    struct MHD_Connection *connection;
    void *context; /* http_options.context */
};

struct response {
    int status;               /* 200 until set */
    const char *content_type; /* static text */
    const char *body;         /* borrowed until the handler's caller has sent it, or ... */
    void *owned;              /* ... malloc'ed, freed after sending */
    size_t size;
    struct response_header {
        const char *name; /* static text */
        char *value;      /* malloc'ed */
    } headers[8];
    size_t n_headers;
};

struct route {
    int methods; /* HTTP_GET | HTTP_POST; 0 ends a table */
    const char *pattern;
    void (*handle)(struct request *request, struct response *response);
};

/* The first value of a parameter in the query or, in a POST form, in the body:
 * malloc'ed, or NULL. */
char *request_query(const struct request *request, const char *name);

/* The process of parameter 0, a reference; NULL: response is a 404 then. */
struct process *request_process(struct request *request, struct response *response);

/* Has the client gone away? For handlers that wait; context is the request. */
bool request_cancelled(void *request);

/* text is copied; for errors too. */
void response_text(struct response *response, int status, const char *content_type,
                   const char *text);
/* bytes: malloc'ed, becomes the response's. */
void response_bytes(struct response *response, int status, const char *content_type, void *bytes,
                    size_t size);
/* value is copied. name: static text. */
void response_header(struct response *response, const char *name, const char *value);
/* As Go's http.Error: text and a newline, text/plain. */
void response_error(struct response *response, int status, const char *text);

struct http_options {
    const char *address;      /* "127.0.0.1:6060", ":6060" (all interfaces), "[::1]:0", "6060" */
    const char *const *hosts; /* names beside ours that Host may carry; ends with NULL; or NULL */
    const char *default_id;   /* whose profiles /debug/pprof/ shows; NULL: the only process's */
    const struct route *const *tables; /* ends with NULL */
    void *context;                     /* for the handlers; the pages' state */
};

/* NULL with *err. The options are copied but for the tables. */
struct http *http_start(struct collector *collector, const struct http_options *options,
                        struct error *err);
/* "127.0.0.1:6060": where it listens, with the port the kernel chose. */
const char *http_address(const struct http *http);
const char *http_default_id(const struct http *http);
/* Waits for handlers that run. */
void http_stop(struct http *http);

/* Does pattern match path? Fills in parameters, pieces of `copy` (of path's size). */
bool http_match(const char *pattern, const char *path, char *copy,
                const char *parameters[HTTP_PARAMETERS_MAX]);

/* May a request with this Host header be answered? own: the listening host. */
bool http_host_allowed(const char *host, const char *own, const char *const *more);

#endif
