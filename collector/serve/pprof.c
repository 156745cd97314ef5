#include "serve/pprof.h"

#include "base/mem.h"
#include "profile/profile_io.h"
#include "report/text.h"
#include "serve/pprof_answer.h"
#include "serve/pprof_index.h"
#include "serve/pprof_trace.h"
#include "serve/pprof_wall.h"
#include "serve/query.h"
#include "serve/snapshot.h"
#include <stdlib.h>
#include <string.h>

#define TEXT "text/plain; charset=utf-8"

/* What Go says in front of its texts; the reason behind it is ours. */
static void collect_failed(struct response *response, const char *what, const struct error *err)
{
    char *text = err->text[0] ? mem_printf("%s: %s", what, err->text) : mem_strdup(what);
    pprof_error(response, 500, text);
    free(text);
}

/* ?seconds=N on a named profile: the checks are Go's, in Go's order. */
static void send_delta(struct request *request, struct response *response, struct process *process,
                       const char *name, enum dump_profile which, const char *seconds_text)
{
    struct error err;
    int64_t seconds;
    if (!query_integer(seconds_text, &seconds) || seconds <= 0) {
        pprof_error(response, 400, "invalid value for \"seconds\" - must be a positive integer");
        return;
    }
    if (which == DUMP_HEAPPEAK) {
        pprof_error(response, 400, "\"seconds\" parameter is not supported for this profile type");
        return;
    }
    if (seconds > PPROF_SECONDS_MAX) {
        pprof_error(response, 400, "profile duration exceeds server's WriteTimeout");
        return;
    }
    if (pprof_integer(request, "debug") != 0) {
        pprof_error(response, 400, "seconds and debug params are incompatible");
        return;
    }
    struct profile *window = snapshot_window(request->collector, process, which, (double)seconds,
                                             request_cancelled, request, &err);
    if (!window) {
        if (err.text[0])
            collect_failed(response, "failed to collect profile", &err);
        else
            pprof_error(response, 500, "context canceled");
        return;
    }
    snapshot_symbolize(process, window);
    pprof_send(response, window, name, "-delta");
    profile_free(window);
}

static void send_text(struct response *response, struct process *process, struct profile *profile,
                      const char *name, int64_t debug)
{
    char *text = NULL;
    size_t size = 0;
    uint64_t *entries = NULL;
    FILE *out = open_memstream(&text, &size);
    snapshot_symbolize_entries(process, profile, &entries);
    struct text_options options = {.entries = entries, .memory_map = true};
    if (debug >= 2 && profile->n_sample_types == 1)
        text_print_debug2(profile, &options, out);
    else
        text_print_debug1(profile, name, &options, out);
    fclose(out);
    free(entries);
    response_bytes(response, 200, TEXT, text, size);
}

static void send_named(struct request *request, struct response *response, struct process *process,
                       const char *name)
{
    struct error err;
    enum dump_profile which;
    if (!snapshot_find(name, &which)) {
        pprof_error(response, 404, "Unknown profile");
        return;
    }
    char *seconds = request_query(request, "seconds");
    if (seconds && *seconds) {
        send_delta(request, response, process, name, which, seconds);
        free(seconds);
        return;
    }
    free(seconds);
    int64_t debug = pprof_integer(request, "debug");
    struct profile *profile = snapshot_take(request->collector, process, which, &err);
    if (!profile) {
        collect_failed(response, "failed to collect profile", &err);
        return;
    }
    if (strcmp(name, "allocs") == 0)
        profile->default_sample_type = profile_intern(profile, "alloc_space");
    if (debug) {
        send_text(response, process, profile, name, debug);
    } else {
        snapshot_symbolize(process, profile);
        pprof_send(response, profile, name, "");
    }
    profile_free(profile);
}

/* Go's CPU profile: always a window. Any number at once: each is a difference. */
static void send_cpu(struct request *request, struct response *response, struct process *process)
{
    struct error err;
    int64_t seconds = pprof_integer(request, "seconds");
    if (seconds <= 0)
        seconds = 30;
    if (seconds > PPROF_SECONDS_MAX) {
        pprof_error(response, 400, "profile duration exceeds server's WriteTimeout");
        return;
    }
    struct profile *window = snapshot_window(request->collector, process, DUMP_CPU, (double)seconds,
                                             request_cancelled, request, &err);
    if (!window) {
        collect_failed(response, "Could not enable CPU profiling", &err);
        return;
    }
    /* As in Go the time is the window's start; a delta's is its end. */
    window->time_nanos -= window->duration_nanos;
    snapshot_symbolize(process, window);
    pprof_send(response, window, "profile", "");
    profile_free(window);
}

/* The arguments joined by NUL, without one at the end. */
static void send_cmdline(struct response *response, struct process *process)
{
    size_t size = process->cmdline_size;
    while (size && process->cmdline[size - 1] == '\0')
        size--;
    char *copy = mem_alloc(size + 1);
    memcpy(copy, process->cmdline, size);
    response_bytes(response, 200, TEXT, copy, size);
}

/* Names for addresses, with pprof's own protocol: a profile of nothing but the
 * process's modules gets a location for each. */
static void send_symbols(struct request *request, struct response *response,
                         struct process *process)
{
    const char *at = request->method == HTTP_POST ? request->body : request->query;
    struct profile *modules = profile_new();
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    uint64_t address;
    snapshot_add_modules(process, modules);
    while (query_address(&at, &address)) {
        struct profile_mapping *mapping = NULL;
        for (size_t i = 0; i < modules->n_mappings && !mapping; i++)
            if (address >= modules->mappings[i]->start && address < modules->mappings[i]->limit)
                mapping = modules->mappings[i];
        if (mapping)
            profile_add_location(modules, mapping, address, 0);
    }
    snapshot_symbolize(process, modules);
    fprintf(out, "num_symbols: 1\n");
    for (size_t i = 0; i < modules->n_locations; i++) {
        const struct profile_location *location = modules->locations[i];
        if (location->n_lines)
            fprintf(out, "%#lx %s\n", (unsigned long)location->address,
                    location->lines[0].function->name);
    }
    fclose(out);
    profile_free(modules);
    response_bytes(response, 200, TEXT, text, size);
}

static void serve(struct request *request, struct response *response, struct process *process,
                  const char *name)
{
    if (!*name)
        pprof_index(request, response, process);
    else if (strcmp(name, "cmdline") == 0)
        send_cmdline(response, process);
    else if (strcmp(name, "profile") == 0)
        send_cpu(request, response, process);
    else if (strcmp(name, "symbol") == 0)
        send_symbols(request, response, process);
    else if (strcmp(name, "wall") == 0)
        pprof_wall(request, response, process);
    else if (strcmp(name, "trace") == 0)
        pprof_trace(request, response, process);
    else
        send_named(request, response, process, name);
}

static void get_process_pprof(struct request *request, struct response *response)
{
    struct process *process = request_process(request, response);
    if (!process)
        return;
    serve(request, response, process, request->parameters[1]);
    process_release(process);
}

/* The process that /debug/pprof/ stands for: the one that was named, or, if just
 * one runs, that one; if none runs any more and there was just one, that one. */
static struct process *default_process(struct request *request)
{
    const char *id = http_default_id(request->http);
    if (id)
        return registry_find(&request->collector->registry, id);
    size_t n, running = 0;
    struct process **list = registry_list(&request->collector->registry, &n), *chosen = NULL;
    for (size_t i = 0; i < n; i++) {
        struct process_status status;
        registry_get_status(&request->collector->registry, list[i], &status);
        if (status.state != PROCESS_RUNNING && n > 1)
            continue;
        chosen = list[i];
        running++;
    }
    if (running != 1)
        chosen = NULL;
    if (chosen)
        process_hold(chosen);
    registry_list_free(list, n);
    return chosen;
}

static void get_default_pprof(struct request *request, struct response *response)
{
    struct process *process = default_process(request);
    if (!process) {
        pprof_error(response, 404,
                    "which process? see /sd, use /p/PID/debug/pprof/, or prof serve --default PID");
        return;
    }
    serve(request, response, process, request->parameters[0]);
    process_release(process);
}

/* As Go's mux: without the slash, moved permanently. */
static void redirect(struct request *request, struct response *response)
{
    char *location =
        mem_printf("%s/%s%s", request->path, *request->query ? "?" : "", request->query);
    response_text(response, 301, "text/html; charset=utf-8", "Moved Permanently.\n");
    response_header(response, "Location", location);
    free(location);
}

const struct route pprof_routes[] = {
    {HTTP_GET | HTTP_POST, "/debug/pprof", redirect},
    {HTTP_GET | HTTP_POST, "/debug/pprof/*", get_default_pprof},
    {HTTP_GET | HTTP_POST, "/p/:id/debug/pprof", redirect},
    {HTTP_GET | HTTP_POST, "/p/:id/debug/pprof/*", get_process_pprof},
    {0, NULL, NULL},
};
