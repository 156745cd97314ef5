/*
 * GET /sd: the running processes in the form of Prometheus' http_sd, which Parca
 * and Grafana Alloy read: a list of {targets, labels}. All processes share our
 * address; the path prefix tells them apart.
 */
#include "serve/pprof.h"

#include <jansson.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

/* The address as the scraper knows us: what it asked for. */
static const char *own_address(const struct request *request)
{
    const char *host = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Host");
    return host ? host : http_address(request->http);
}

/* Names come from other processes: what isn't UTF-8 isn't shown. */
static json_t *safe_string(const char *text)
{
    json_t *string = json_string(text);
    return string ? string : json_string("?");
}

static json_t *describe(const struct request *request, const struct process *process)
{
    json_t *target = json_object(), *targets = json_array(), *labels = json_object();
    char path[64], pid[16];
    snprintf(path, sizeof path, "/p/%s", process_id(process));
    snprintf(pid, sizeof pid, "%d", (int)process_shown_pid(process));
    json_array_append_new(targets, safe_string(own_address(request)));
    json_object_set_new(labels, "__profile_path_prefix__", json_string(path)); /* Alloy */
    json_object_set_new(labels, "__meta_libprof_path", json_string(path));
    json_object_set_new(labels, "service_name", safe_string(process_name(process)));
    json_object_set_new(labels, "service", safe_string(process_name(process)));
    json_object_set_new(labels, "exe", safe_string(process->exe));
    json_object_set_new(labels, "pid", json_string(pid));
    json_object_set_new(target, "targets", targets);
    json_object_set_new(target, "labels", labels);
    return target;
}

static void get_targets(struct request *request, struct response *response)
{
    size_t n;
    struct process **list = registry_list(&request->collector->registry, &n);
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        struct process_status status;
        registry_get_status(&request->collector->registry, list[i], &status);
        if (status.state == PROCESS_RUNNING)
            json_array_append_new(all, describe(request, list[i]));
    }
    registry_list_free(list, n);
    char *text = json_dumps(all, JSON_INDENT(1));
    json_decref(all);
    response_bytes(response, 200, "application/json", text, strlen(text));
}

const struct route discovery_routes[] = {
    {HTTP_GET, "/sd", get_targets},
    {0, NULL, NULL},
};
