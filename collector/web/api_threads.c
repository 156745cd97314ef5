/* What every thread does now: the goroutine profile, with what its labels say. */
#include "base/mem.h"
#include "profile/profile_ops.h"
#include "serve/snapshot.h"
#include "web/api.h"
#include "web/reply.h"
#include <string.h>

static void put_frame(struct writer *w, const char *name, const struct profile_line *line,
                      const struct profile_location *location, bool first)
{
    writer_put(w, first ? "{" : ",{");
    json_key(w, "name", true);
    writer_put_json(w, name);
    json_text(w, "file", line ? line->function->filename : "");
    json_number(w, "line", line ? line->line : 0);
    json_text(w, "object", location->mapping ? location->mapping->file : "");
    writer_put_char(w, '}');
}

/* Frames, innermost first. */
static void put_stack(struct writer *w, const struct profile_sample *sample)
{
    writer_put(w, ",\"stack\":[");
    for (size_t i = 0, n = 0; i < sample->n_locations; i++) {
        const struct profile_location *location = sample->locations[i];
        char address[32];
        snprintf(address, sizeof address, "%#lx", (unsigned long)location->address);
        if (!location->n_lines)
            put_frame(w, address, NULL, location, n++ == 0);
        for (size_t j = 0; j < location->n_lines; j++)
            put_frame(w, location->lines[j].function->name, &location->lines[j], location,
                      n++ == 0);
    }
    writer_put_char(w, ']');
}

static void put_thread(struct writer *w, const struct profile_sample *sample)
{
    static const char *const words[] = {"thread", "state", "wchan"};
    static const char *const numbers[] = {"tid", "wait"};
    writer_put_char(w, '{');
    json_key(w, "count", true);
    writer_put_int(w, sample->values[0]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const struct profile_label *label = profile_find_label(sample, words[i]);
        if (label && label->str)
            json_text(w, words[i], label->str);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const struct profile_label *label = profile_find_label(sample, numbers[i]);
        if (label && !label->str)
            json_number(w, numbers[i], label->num);
    }
    put_stack(w, sample);
    writer_put_char(w, '}');
}

void api_get_threads(struct request *request, struct response *response)
{
    struct error err;
    struct writer w = {0};
    struct process *process = registry_find(&request->collector->registry, request->parameters[0]);
    if (!process) {
        reply_error(response, 404, "no such process");
        return;
    }
    struct profile *profile = snapshot_take(request->collector, process, DUMP_THREADS, &err);
    if (profile) {
        snapshot_symbolize(process, profile);
        writer_put(&w, "{\"time_ns\":");
        writer_put_int(&w, profile->time_nanos);
        writer_put(&w, ",\"threads\":[");
        for (size_t i = 0; i < profile->n_samples; i++) {
            writer_put(&w, i ? "," : "");
            put_thread(&w, profile->samples[i]);
        }
        writer_put(&w, "]}");
        reply_json(response, &w);
    } else {
        reply_error(response, 500, err.text);
    }
    profile_free(profile);
    process_release(process);
}
