#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "serve/loop.h"
#include "serve/http.h"
#include "web/web.h"

#define DEFAULT_HTTP "127.0.0.1:0"

/* Each file is a page of its own, to be compared in the browser; with a base they are
 * added up, as by the other commands. False: told. */
static bool load_files(struct cli_options *o, struct web *web)
{
    bool one = o->base || o->diff_base || o->n_arguments < 2;
    for (int i = 0; i < o->n_arguments; i++) {
        struct cli_options single = *o;
        if (!one)
            single.n_arguments = i + 1;
        struct profile *p = cli_load(&single, i, NULL);
        if (!p)
            return false;
        const char *slash = strrchr(o->arguments[i], '/');
        web_add_file(web, slash && slash[1] ? slash + 1 : o->arguments[i], p);
        if (one)
            break;
    }
    return true;
}

static int serve_files(struct cli_options *o, struct web *web, const sigset_t *ends)
{
    static const struct route *const tables[] = {web_routes, NULL};
    struct collector collector = {0}; /* without processes */
    struct error err;
    struct http_options options = {
        .address = o->http ? o->http : DEFAULT_HTTP, .tables = tables, .context = web};
    int got;
    registry_init(&collector.registry);
    struct http *http = http_start(&collector, &options, &err);
    if (!http) {
        registry_clear(&collector.registry);
        return cli_fail("web", err.text);
    }
    if (!o->quiet)
        fprintf(stderr, "prof: open http://%s/ in a browser; Ctrl-C ends\n", http_address(http));
    sigwait(ends, &got);
    http_stop(http);
    registry_clear(&collector.registry);
    return 0;
}

static int run_web(struct cli_options *o)
{
    struct web *web;
    sigset_t ends;
    if (!o->n_arguments) {
        fprintf(stderr, "prof web: give files or a directory of dumps\n");
        return 2;
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    web = web_new();
    bool loaded = load_files(o, web);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    int status = loaded ? serve_files(o, web, &ends) : 1;
    web_free(web);
    return status;
}

const struct command cmd_web = {
    .name = "web",
    .usage = "[OPTIONS] FILE...",
    .summary = "look at profiles in a browser: flame graph, call tree, source lines",
    .help = "Serves a page on this machine (--http says where; a free port unless told) with\n"
            "flame graphs, tables, call trees beside source lines, callers and callees.\n"
            "Any file that prof reads will do: libprof's, Go's, gperftools'. Several files are\n"
            "listed side by side and can be compared in the page; with -base they are added up.\n"
            "\n"
            "Examples:\n"
            "  prof web app.4242.0001.heap.pb.gz\n"
            "  prof web --http :8080 before.pb.gz after.pb.gz\n",
    .run = run_web,
    .options = "http " LOAD_OPTIONS,
};
