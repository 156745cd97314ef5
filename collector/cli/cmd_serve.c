#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/run_check.h"
#include "serve/http.h"
#include "serve/loop.h"
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

/* Fit for a shell, malloc'ed: between quotes where it must be. */
static char *shell_word(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/._-+,:@%=";
    if (*text && !text[strspn(text, plain)])
        return mem_strdup(text);
    char *word = mem_alloc(4 * strlen(text) + 3), *at = word;
    *at++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            at = stpcpy(at, "'\\''");
        else
            *at++ = *text;
    }
    strcpy(at, "'");
    return word;
}

static char *absolute(const char *path)
{
    char folder[PATH_MAX];
    return *path == '/' || !getcwd(folder, sizeof folder) ? mem_strdup(path)
                                                          : mem_printf("%s/%s", folder, path);
}

/* A command that can be pasted. */
static void print_welcome(const char *address, const char *socket)
{
    struct error err;
    char *library = run_find_library(&err), *path = absolute(socket);
    char *words[] = {shell_word(path), shell_word(library ? library : "libprof.so")};
    fprintf(stderr,
            "prof: serving http://%s/\nprof: profile a program with: LIBPROF_SOCKET=%s "
            "LD_PRELOAD=%s PROGRAM\n",
            address, words[0], words[1]);
    if (!library)
        fprintf(stderr, "prof: %s\n", err.text);
    free(words[0]);
    free(words[1]);
    free(path);
    free(library);
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
        .users = o->users,
        .daemon = true,
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
        print_welcome(http_address(http), options.socket);
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
            "A collector takes the processes of its own user and root's. Root's also takes those\n"
            "of other users that its processes started, and with --users all of theirs; who is\n"
            "turned away is told here and in prof ps, and writes to its own LIBPROF_DIR.\n"
            "A collector that is started again finds the processes that still run.\n"
            "Only programs on this machine reach it unless --http says otherwise; there is no\n"
            "password, so think before it does.\n",
    .run = run_serve,
    .options = "http socket users dir default keep host quiet",
};
