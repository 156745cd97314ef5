/*
 * What the page's scripts ask for; JSON, for programs too. {id} is a process id
 * ("4242", "4242.1"), {view} that of a view. Errors: {"error": text}.
 *
 *   GET  /api/processes              {now_ns, processes: [process...], files: [view...]}
 *   GET  /api/processes/{id}         process, profiles and marks of the past
 *   GET  /api/processes/{id}/history?since=NS    one entry a second, in columns
 *   POST /api/processes/{id}/views   {profile, seconds | from_ns, to_ns | at_ns} -> view
 *   GET  /api/processes/{id}/threads what every thread does now
 *   GET  /api/views/{view}           view: sample types, threads, exports...
 *   GET  /api/views/{view}/flame     the flame tree (export/json.h)
 *   GET  /api/views/{view}/source?function=NAME&type=N    lines, each with self and total
 *   GET  /api/views/{view}/assembly?function=NAME&type=N  instructions likewise
 *   GET  /api/views/{view}/export/FORMAT
 *
 * The last four take thread=NAME or tid=N (only samples of that thread), group=thread
 * (threads as the outermost frames), base=VIEW and normalize=1 (a comparison).
 */
#ifndef COLLECTOR_WEB_API_H
#define COLLECTOR_WEB_API_H

#include "export/writer.h"
#include "report/report.h"
#include "serve/http.h"
#include "serve/process.h"
#include "web/state.h"

/* One function for each line above, in its order. Any HTTP thread. */
void api_get_processes(struct request *request, struct response *response);
void api_get_process(struct request *request, struct response *response);
void api_get_history(struct request *request, struct response *response);
void api_get_threads(struct request *request, struct response *response);
void api_post_view(struct request *request, struct response *response);
void api_get_view(struct request *request, struct response *response);
void api_get_flame(struct request *request, struct response *response);
void api_get_export(struct request *request, struct response *response);
void api_get_source(struct request *request, struct response *response);
void api_get_assembly(struct request *request, struct response *response);

/* ---- For the handlers ---- */

/* The view of a parameter of the path, a reference; NULL: the answer is a 404. */
struct view *api_find_view(struct request *request, struct response *response);

/* A copy of the view's profile with what the query asks of it: one thread, threads as
 * frames, less or beside the base. NULL: the answer says why. */
struct profile *api_derive(struct request *request, const struct view *view,
                           struct response *response);

/* The sample type the query names (number or name), else the default; -1: told. */
int api_find_type(struct request *request, const struct profile *p, struct response *response);

/* The description of a view, an object. */
void api_put_view(struct writer *w, const struct view *view);

#endif
