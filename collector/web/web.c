#include "web/web.h"

#include "base/mem.h"
#include "profile/profile_ops.h"
#include "web/api.h"
#include "web/files.h"
#include "web/reply.h"
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

struct web *web_new(void)
{
    struct web *web = mem_zero(1, sizeof *web);
    views_init(&web->views);
    timeline_init(&web->timeline);
    return web;
}

void web_free(struct web *web)
{
    views_free(&web->views);
    timeline_free(&web->timeline);
    free(web);
}

void web_add_file(struct web *web, const char *name, struct profile *profile)
{
    struct error err;
    struct profile *merged = profile_merge(&profile, 1, &err);
    profile_free(profile);
    const char *program = merged ? profile_program_name(merged) : "";
    if (!merged)
        return;
    view_release(views_add(&web->views,
                           &(struct view){
                               .program = (char *)(uintptr_t)program,
                               .process_id = (char *)(uintptr_t) "",
                               .name = (char *)(uintptr_t)name,
                               .profile = merged,
                               .uid = (uid_t)-1,
                               .to_ns = merged->time_nanos + merged->duration_nanos,
                               .from_ns = merged->duration_nanos ? merged->time_nanos : 0,
                           },
                           true));
}

void web_start_recording(struct web *web, struct collector *collector)
{
    timeline_start(&web->timeline, collector);
}

void web_stop_recording(struct web *web)
{
    timeline_stop(&web->timeline);
}

/* ---- The embedded files ---- */

static void send_file(struct request *request, struct response *response, const char *name)
{
    const struct web_file *file = web_files;
    while (file->name && strcmp(file->name, name) != 0)
        file++;
    if (!file->name) {
        reply_error(response, 404, "no such file");
        return;
    }
    const char *known = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                                    MHD_HTTP_HEADER_IF_NONE_MATCH);
    bool same = known && strcmp(known, file->etag) == 0;
    response->status = same ? 304 : 200;
    response->content_type = file->type;
    response->body = (const char *)file->data;
    response->size = same ? 0 : file->size;
    response_header(response, "ETag", file->etag);
    response_header(response, "Cache-Control", "no-cache");
    reply_secure(response);
}

static void get_file(struct request *request, struct response *response)
{
    send_file(request, response, request->parameters[0]);
}

/* Every page is the same document: the script looks at the address. */
static void get_page(struct request *request, struct response *response)
{
    send_file(request, response, "index.html");
}

const struct route web_routes[] = {
    {HTTP_GET, "/", get_page},
    {HTTP_GET, "/p/:id", get_page},
    {HTTP_GET, "/p/:id/", get_page},
    {HTTP_GET, "/p/:id/:profile", get_page},
    {HTTP_GET, "/v/:view", get_page},
    {HTTP_GET, "/web/*", get_file},
    {HTTP_GET, "/api/processes", api_get_processes},
    {HTTP_GET, "/api/processes/:id", api_get_process},
    {HTTP_GET, "/api/processes/:id/history", api_get_history},
    {HTTP_POST, "/api/processes/:id/views", api_post_view},
    {HTTP_GET, "/api/processes/:id/threads", api_get_threads},
    {HTTP_GET, "/api/views/:view", api_get_view},
    {HTTP_GET, "/api/views/:view/flame", api_get_flame},
    {HTTP_GET, "/api/views/:view/source", api_get_source},
    {HTTP_GET, "/api/views/:view/assembly", api_get_assembly},
    {HTTP_GET, "/api/views/:view/export/:format", api_get_export},
    {0, NULL, NULL},
};
