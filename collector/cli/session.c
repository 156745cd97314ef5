#include "cli/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/http.h"
#include "serve/pprof.h"
#include "web/web.h"

bool session_open(struct session *session, const struct cli_options *o, const char *dir,
                  struct error *err)
{
    static const struct route *const tables[] = {pprof_routes, discovery_routes, listing_routes,
                                                 web_routes, NULL};
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    memset(session, 0, sizeof *session);
    snprintf(session->folder, sizeof session->folder, "%s/prof-XXXXXX",
             runtime && strlen(runtime) < 40 && access(runtime, W_OK) == 0 ? runtime : "/tmp");
    if (!mkdtemp(session->folder))
        return fail_with(err, "no folder for the socket: %s: %s", session->folder, strerror(errno));
    if (geteuid() == 0)
        chmod(session->folder, 0711); /* its workers may be other users: collector/serve */
    snprintf(session->socket_path, sizeof session->socket_path, "%s/socket", session->folder);
    struct collector_options options = {
        .socket = session->socket_path,
        .dir = dir,
        .quiet = o->quiet,
    };
    bool good = collector_start(&session->collector, &options, err);
    if (good && o->http) {
        session->web = web_new();
        struct http_options http = {.address = o->http, .tables = tables, .context = session->web};
        session->http = http_start(&session->collector, &http, err);
        if (session->http && !o->quiet)
            fprintf(stderr, "prof: serving http://%s/\n", http_address(session->http));
        good = session->http != NULL;
        if (good) {
            web_start_recording(session->web, &session->collector);
        } else {
            collector_stop(&session->collector, false);
            web_free(session->web);
        }
    }
    if (!good)
        rmdir(session->folder);
    return good;
}

void session_close(struct session *session)
{
    atomic_store(&session->collector.stopping, true);
    http_stop(session->http);
    if (session->web)
        web_stop_recording(session->web);
    collector_stop(&session->collector, true);
    if (session->web)
        web_free(session->web);
    rmdir(session->folder);
}
