#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "serve/loop.h"
#include "serve/http.h"
#include "serve/pprof.h"
#include "web/web.h"

#define DEFAULT_HTTP "127.0.0.1:6060"
#define DEFAULT_KEEP 1000

/* "a,b" -> names, NULL at the end; malloc'ed, as is the text they lie in. */
static char **split_names(const char *list)
{
    size_t n = 0, room = 0;
    char **names = mem_zero(1, sizeof *names);
    char *copy = mem_strdup(list ? list : ""), *rest = copy;
    room = 1;
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        if (!*word)
            continue;
        names = mem_grow(names, n + 1, &room, sizeof *names);
        names[n++] = word;
        names[n] = NULL;
    }
    return names;
}

static int run_serve(struct cli_options *o)
{
    static const struct route *const tables[] = {pprof_routes, discovery_routes, listing_routes,
                                                 web_routes, NULL};
    struct collector collector;
    struct error err;
    if (o->n_arguments)
        return cli_fail(o->arguments[0], "prof serve takes no arguments: see prof help serve");
    struct collector_options options = {
        .socket = o->socket ? o->socket : collector_default_socket(),
        .dir = o->dir ? o->dir : "libprof.out",
        .keep = o->keep ? strtoul(o->keep, NULL, 10) : DEFAULT_KEEP,
        .remove_forgotten = true,
        .quiet = o->quiet,
    };
    struct web *web = web_new();
    struct http_options http_options = {
        .address = o->http ? o->http : DEFAULT_HTTP,
        .hosts = (const char *const *)split_names(o->hosts),
        .default_id = o->default_id,
        .tables = tables,
        .context = web,
    };
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!collector_start(&collector, &options, &err)) {
        web_free(web);
        return cli_fail("serve", err.text);
    }
    struct http *http = http_start(&collector, &http_options, &err);
    if (!http) {
        collector_stop(&collector, false);
        web_free(web);
        return cli_fail("serve", err.text);
    }
    web_start_recording(web, &collector);
    if (!o->quiet)
        fprintf(stderr,
                "prof: serving http://%s/\n"
                "prof: profile a program with: LIBPROF_SOCKET=%s LD_PRELOAD=libprof.so PROGRAM\n",
                http_address(http), options.socket);
    int got;
    sigwait(&ends, &got);
    atomic_store(&collector.stopping, true);
    http_stop(http);
    web_stop_recording(web);
    collector_stop(&collector, true);
    web_free(web);
    collector_free(&collector);
    return 0;
}

const struct command cmd_serve = {
    .name = "serve",
    .usage = "[OPTIONS]",
    .summary = "collect from every process that reports, and serve by HTTP",
    .help = "Processes that run with libprof.so and LIBPROF_SOCKET=PATH report here as they\n"
            "start. Their profiles are read from memory they share, whenever somebody asks:\n"
            "\n"
            "  go tool pprof http://127.0.0.1:6060/p/PID/debug/pprof/heap\n"
            "  go tool pprof -seconds 30 http://127.0.0.1:6060/p/PID/debug/pprof/profile\n"
            "  curl 'http://127.0.0.1:6060/p/PID/debug/pprof/goroutine?debug=2'\n"
            "\n"
            "A process that ended, however it did, has its last profiles written to --dir and\n"
            "stays on show. /sd lists the processes for scrapers (Prometheus http_sd).\n"
            "Only programs on this machine reach it unless --http says otherwise; there is no\n"
            "password, so think before it does.\n",
    .run = run_serve,
    .options = "http socket dir default keep host quiet",
};
