/* Views: making them, describing them, and the flame tree they are drawn from. */
#include "base/mem.h"
#include "export/export.h"
#include "export/json.h"
#include "profile/profile_ops.h"
#include "serve/snapshot.h"
#include "web/api.h"
#include "web/reply.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 86400 /* as serve/pprof.c */

struct view *api_find_view(struct request *request, struct response *response)
{
    struct web *web = request->context;
    struct view *view = views_find(&web->views, request->parameters[0]);
    if (!view)
        reply_error(response, 404, "this view is not kept any more");
    return view;
}

int api_find_type(struct request *request, const struct profile *p, struct response *response)
{
    struct error err;
    char *name = request_query(request, "type");
    int type = profile_find_index(p, name, &err);
    free(name);
    if (type < 0)
        reply_error(response, 400, err.text);
    return type;
}

/* ---- Making ---- */

/* What a request for a view asks for; zero: not given. */
struct wish {
    const char *name;
    enum dump_profile which;
    double seconds;
    int64_t at_ns, from_ns, to_ns;
};

static bool read_wish(json_t *body, struct wish *wish, struct error *err)
{
    const char *name = json_string_value(json_object_get(body, "profile"));
    *wish = (struct wish){
        .name = name,
        .seconds = json_number_value(json_object_get(body, "seconds")),
        .at_ns = json_integer_value(json_object_get(body, "at_ns")),
        .from_ns = json_integer_value(json_object_get(body, "from_ns")),
        .to_ns = json_integer_value(json_object_get(body, "to_ns")),
    };
    if (!name || !snapshot_find(name, &wish->which))
        return fail_with(err, "no profile of this name");
    if (wish->seconds < 0 || wish->seconds > SECONDS_MAX)
        return fail_with(err, "seconds: 1 to %d", SECONDS_MAX);
    if ((wish->at_ns || wish->from_ns) && !timeline_records(wish->which))
        return fail_with(err, "%s has no past", name);
    if (wish->from_ns && wish->to_ns <= wish->from_ns)
        return fail_with(err, "the window ends before it starts");
    return true;
}

/* Two moments of the past and what was added between them. */
static struct profile *take_window(struct web *web, struct process *process, struct wish *wish,
                                   struct error *err)
{
    struct profile *window = NULL, *after = NULL;
    struct profile *before =
        timeline_take(&web->timeline, process, wish->which, wish->from_ns, &wish->from_ns, err);
    if (before)
        after = timeline_take(&web->timeline, process, wish->which, wish->to_ns, &wish->to_ns, err);
    if (after && wish->from_ns == wish->to_ns)
        fail_with(err, "nothing was recorded between the two moments");
    else if (after)
        window = profile_subtract(after, before, false, err);
    if (window) {
        window->time_nanos = wish->from_ns;
        window->duration_nanos = wish->to_ns - wish->from_ns;
    }
    profile_free(before);
    profile_free(after);
    return window;
}

static struct profile *take(struct request *request, struct process *process, struct wish *wish,
                            struct error *err)
{
    struct web *web = request->context;
    struct profile *profile;
    if (wish->from_ns)
        return take_window(web, process, wish, err);
    if (wish->at_ns)
        return timeline_take(&web->timeline, process, wish->which, wish->at_ns, &wish->to_ns, err);
    if (wish->seconds > 0) {
        profile = snapshot_window(request->collector, process, wish->which, wish->seconds,
                                  request_cancelled, request, err);
        if (profile) {
            wish->to_ns = profile->time_nanos;
            wish->from_ns = wish->to_ns - profile->duration_nanos;
        }
        return profile;
    }
    profile = snapshot_take(request->collector, process, wish->which, err);
    if (profile)
        wish->to_ns = profile->time_nanos + profile->duration_nanos;
    return profile;
}

/* Names for addresses, then what cli_load does with a profile. */
static struct profile *finish(struct process *process, struct profile *raw, const struct wish *wish,
                              struct error *err)
{
    struct error ignored;
    struct profile *profile = profile_merge(&raw, 1, err);
    profile_free(raw);
    if (!profile)
        return NULL;
    snapshot_symbolize(process, profile);
    profile_prune(profile, &ignored); /* a bad expression: shown as it is, as by pprof */
    if (strcmp(wish->name, "allocs") == 0)
        profile->default_sample_type = profile_intern(profile, "alloc_space");
    return profile;
}

static void make_view(struct request *request, struct response *response, struct process *process,
                      json_t *body)
{
    struct web *web = request->context;
    struct error err = {""};
    struct wish wish;
    if (!read_wish(body, &wish, &err)) {
        reply_error(response, 400, err.text);
        return;
    }
    struct profile *profile = take(request, process, &wish, &err);
    if (profile)
        profile = finish(process, profile, &wish, &err);
    if (!profile) {
        reply_error(response, 500, err.text[0] ? err.text : "cancelled");
        return;
    }
    struct view *view = views_add(&web->views,
                                  &(struct view){
                                      .program = (char *)(uintptr_t)process_name(process),
                                      .process_id = (char *)(uintptr_t)process_id(process),
                                      .name = (char *)(uintptr_t)wish.name,
                                      .profile = profile,
                                      .uid = process->uid,
                                      .from_ns = wish.from_ns,
                                      .to_ns = wish.to_ns,
                                  },
                                  false);
    struct writer w = {0};
    api_put_view(&w, view);
    view_release(view);
    reply_json(response, &w);
}

void api_post_view(struct request *request, struct response *response)
{
    json_error_t where;
    if (!reply_check_post(request, response))
        return;
    struct process *process = registry_find(&request->collector->registry, request->parameters[0]);
    json_t *body = json_loadb(request->body, request->body_size, 0, &where);
    if (!process)
        reply_error(response, 404, "no such process");
    else if (!body)
        reply_error(response, 400, where.text);
    else
        make_view(request, response, process, body);
    json_decref(body);
    if (process)
        process_release(process);
}

/* ---- Describing ---- */

struct thread_sum {
    const char *name; /* interned */
    int64_t tid, value;
};

static int by_value(const void *a, const void *b)
{
    const struct thread_sum *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value ? 1 : -1)
                                : (x->tid > y->tid) - (x->tid < y->tid);
}

static int by_tid(const void *a, const void *b)
{
    const struct thread_sum *x = a, *y = b;
    int names = x->name != y->name ? strcmp(x->name, y->name) : 0;
    return names ? names : (x->tid > y->tid) - (x->tid < y->tid);
}

/* The threads whose names the samples carry, the largest first. */
static void put_threads(struct writer *w, const struct profile *p)
{
    struct thread_sum *sums = mem_zero(p->n_samples + 1, sizeof *sums);
    int type = profile_default_index(p);
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < p->n_samples && type >= 0; i++) {
        const struct profile_label *name = profile_find_label(p->samples[i], "thread");
        const struct profile_label *tid = profile_find_label(p->samples[i], "tid");
        if ((name && name->str) || tid)
            sums[n++] =
                (struct thread_sum){name && name->str ? name->str : "",
                                    tid && !tid->str ? tid->num : 0, p->samples[i]->values[type]};
    }
    qsort(sums, n, sizeof *sums, by_tid);
    for (size_t i = 0; i < n; i++)
        if (kept && by_tid(&sums[kept - 1], &sums[i]) == 0)
            sums[kept - 1].value += sums[i].value;
        else
            sums[kept++] = sums[i];
    qsort(sums, kept, sizeof *sums, by_value);
    writer_put(w, ",\"threads\":[");
    for (size_t i = 0; i < kept; i++) {
        writer_put(w, i ? ",{\"name\":" : "{\"name\":");
        writer_put_json(w, sums[i].name);
        json_number(w, "tid", sums[i].tid);
        json_number(w, "value", sums[i].value);
        writer_put_char(w, '}');
    }
    writer_put_char(w, ']');
    free(sums);
}

static void put_types(struct writer *w, const struct profile *p)
{
    writer_put(w, ",\"sample_types\":[");
    for (size_t i = 0; i < p->n_sample_types; i++) {
        int64_t total = 0;
        for (size_t j = 0; j < p->n_samples; j++)
            total = export_add(total, p->samples[j]->values[i]);
        writer_put(w, i ? ",{\"type\":" : "{\"type\":");
        writer_put_json(w, p->sample_types[i].type);
        json_text(w, "unit", p->sample_types[i].unit);
        json_number(w, "total", total);
        writer_put_char(w, '}');
    }
    writer_put_char(w, ']');
    json_number(w, "default", profile_default_index(p));
}

void api_put_view(struct writer *w, const struct view *view)
{
    const struct profile *p = view->profile;
    writer_put(w, "{\"id\":");
    writer_put_json(w, view->id);
    json_text(w, "program", view->program);
    json_text(w, "process", view->process_id);
    json_text(w, "name", view->name);
    json_number(w, "from_ns", view->from_ns);
    json_number(w, "to_ns", view->to_ns);
    json_number(w, "duration_ns", p->duration_nanos);
    json_number(w, "samples", (int64_t)p->n_samples);
    put_types(w, p);
    put_threads(w, p);
    writer_put(w, ",\"comments\":[");
    for (size_t i = 0; i < p->n_comments; i++) {
        writer_put(w, i ? "," : "");
        writer_put_json(w, p->comments[i]);
    }
    writer_put(w, "],\"exports\":[");
    for (const struct export_format *f = export_formats; f->name; f++) {
        writer_put(w, f == export_formats ? "{" : ",{");
        json_key(w, "name", true);
        writer_put_json(w, f->name);
        json_text(w, "purpose", f->purpose);
        writer_put_char(w, '}');
    }
    writer_put(w, "]}");
}

void api_get_view(struct request *request, struct response *response)
{
    struct view *view = api_find_view(request, response);
    struct writer w = {0};
    if (!view)
        return;
    api_put_view(&w, view);
    view_release(view);
    reply_json(response, &w);
}

/* ---- Deriving ---- */

static void keep_thread(struct profile *p, const char *name, const char *tid)
{
    size_t kept = 0;
    int64_t number = tid ? strtoll(tid, NULL, 10) : 0;
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_label *has_name = profile_find_label(p->samples[i], "thread");
        const struct profile_label *has_tid = profile_find_label(p->samples[i], "tid");
        if (name && strcmp(has_name && has_name->str ? has_name->str : "", name) != 0)
            continue;
        if (tid && (!has_tid || has_tid->str || has_tid->num != number))
            continue;
        p->samples[kept++] = p->samples[i];
    }
    p->n_samples = kept;
}

/* Replaces p by its comparison with the base. False: told, and p is gone. */
static bool compare(struct request *request, struct profile **p, const char *base_id,
                    struct response *response)
{
    struct web *web = request->context;
    struct error err;
    struct view *view = views_find(&web->views, base_id);
    char *normalize = request_query(request, "normalize");
    struct profile *difference = NULL;
    if (view) {
        struct profile *base = profile_copy(view->profile);
        if (!normalize || profile_normalize(*p, base, &err))
            difference = profile_subtract(*p, base, true, &err);
        profile_free(base);
    }
    if (!view)
        reply_error(response, 404, "the view to compare with is not kept any more");
    else if (!difference)
        reply_error(response, 400, err.text);
    view_release(view);
    free(normalize);
    profile_free(*p);
    *p = difference;
    return difference != NULL;
}

struct profile *api_derive(struct request *request, const struct view *view,
                           struct response *response)
{
    char *base = request_query(request, "base"), *group = request_query(request, "group");
    char *thread = request_query(request, "thread"), *tid = request_query(request, "tid");
    struct profile *p = profile_copy(view->profile);
    if (base && *base)
        compare(request, &p, base, response);
    if (p && (thread || tid))
        keep_thread(p, thread, tid);
    if (p && group && strcmp(group, "thread") == 0)
        profile_add_tag_frames(p, "thread", NULL, "minimum");
    free(base);
    free(group);
    free(thread);
    free(tid);
    return p;
}

void api_get_flame(struct request *request, struct response *response)
{
    struct view *view = api_find_view(request, response);
    struct profile *p = view ? api_derive(request, view, response) : NULL;
    struct error err;
    struct writer w = {0};
    int type = p ? api_find_type(request, p, response) : -1;
    struct export_options options = {.type = type, .title = view ? view->name : NULL};
    if (type >= 0 && json_write(&w, p, &options, &err)) {
        reply_json(response, &w);
        reply_keep(response);
    } else if (type >= 0) {
        reply_error(response, 400, err.text);
    }
    writer_free(&w);
    profile_free(p);
    view_release(view);
}

/* What a browser saves it as: endings that the readers of the formats look for, and
 * no character of a foreign name that means something to a shell or a header. */
static char *export_disposition(const struct view *view, const char *format)
{
    static const struct {
        const char *format, *ending;
    } endings[] = {{"pb", "pb.gz"},
                   {"text", "txt"},
                   {"chrome", "trace.json"},
                   {"speedscope", "speedscope.json"},
                   {"firefox", "firefox.json"}};
    bool callgrind = strcmp(format, "callgrind") == 0;
    const char *ending = format;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcmp(endings[i].format, format) == 0)
            ending = endings[i].ending;
    char *stem = mem_printf("%s%s%s.%s", view->program, *view->process_id ? "." : "",
                            view->process_id, view->name);
    for (char *c = stem; *c; c++)
        if (!strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-", *c))
            *c = '_';
    char *text = callgrind ? mem_printf("attachment; filename=\"callgrind.out.%s\"", stem)
                           : mem_printf("attachment; filename=\"%s.%s\"", stem, ending);
    free(stem);
    return text;
}

void api_get_export(struct request *request, struct response *response)
{
    struct error err;
    const struct export_format *format = export_find_format(request->parameters[1], &err);
    if (!format) {
        reply_error(response, 404, err.text);
        return;
    }
    struct view *view = api_find_view(request, response);
    struct profile *p = view ? api_derive(request, view, response) : NULL;
    int type = p ? api_find_type(request, p, response) : -1;
    struct export_options options = {.type = type};
    struct writer w = {0};
    if (type >= 0 && format->write(&w, p, &options, &err)) {
        char *name = export_disposition(view, format->name);
        response_bytes(response, 200, "application/octet-stream", w.data, w.size);
        w = (struct writer){0};
        reply_secure(response);
        response_header(response, "Content-Disposition", name);
        free(name);
    } else if (type >= 0) {
        reply_error(response, 400, err.text);
    }
    writer_free(&w);
    profile_free(p);
    view_release(view);
}
