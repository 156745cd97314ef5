/* speedscope's own JSON: a "sampled" profile for each sample type. */
#include <stdlib.h>
#include <string.h>

#include "export/format.h"
#include "export/frames.h"

static void put_frames(struct writer *w, const struct frames *f)
{
    writer_put(w, "\"shared\":{\"frames\":[");
    for (size_t i = 0; i < f->n; i++) {
        const struct frame *frame = &f->list[i];
        writer_put(w, i ? ",\n{\"name\":" : "\n{\"name\":");
        writer_put_json(w, frame->name);
        if (*frame->file) {
            writer_put(w, ",\"file\":");
            writer_put_json(w, frame->file);
            if (frame->line) {
                writer_put(w, ",\"line\":");
                writer_put_int(w, frame->line);
            }
        }
        writer_put_char(w, '}');
    }
    writer_put(w, "]}");
}

/* One of the units the format knows. */
static const char *unit_of(const char *unit)
{
    static const char *const times[] = {"nanoseconds", "microseconds", "milliseconds", "seconds"};
    if (strcmp(unit, "bytes") == 0)
        return unit;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        if (strcmp(unit, times[i]) == 0)
            return unit;
    return "none";
}

static void put_samples(struct writer *w, const struct profile *p, const struct frames *f,
                        size_t type)
{
    struct frame_stack stack = {0};
    bool first = true;
    writer_put(w, ",\"samples\":[");
    for (size_t i = 0; i < p->n_samples; i++) {
        if (!p->samples[i]->values[type])
            continue;
        frames_expand(f, p->samples[i], &stack);
        writer_put(w, first ? "[" : ",[");
        first = false;
        for (size_t j = 0; j < stack.n; j++) {
            if (j)
                writer_put_char(w, ',');
            writer_put_uint(w, f->sites[stack.sites[j]].frame);
        }
        writer_put_char(w, ']');
    }
    writer_put(w, "],\"weights\":[");
    first = true;
    for (size_t i = 0; i < p->n_samples; i++) {
        if (!p->samples[i]->values[type])
            continue;
        if (!first)
            writer_put_char(w, ',');
        first = false;
        writer_put_int(w, p->samples[i]->values[type]);
    }
    writer_put_char(w, ']');
    free(stack.sites);
}

bool speedscope_write(struct writer *out, const struct profile *p,
                      const struct export_options *options, struct error *err)
{
    if (!export_check_positive(p, -1, "speedscope", err))
        return false;
    struct frames *f = frames_new(p, FRAMES_BY_PLACE);
    char *title = export_title(p, options);
    writer_put(out, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n");
    writer_put(out, "\"exporter\":\"libprof@" LIBPROF_VERSION "\",\n\"name\":");
    writer_put_json(out, title);
    writer_printf(out, ",\n\"activeProfileIndex\":%d,\n", options->type);
    put_frames(out, f);
    writer_put(out, ",\n\"profiles\":[");
    for (size_t type = 0; type < p->n_sample_types; type++) {
        writer_put(out, type ? ",\n{\"type\":\"sampled\",\"name\":"
                             : "\n{\"type\":\"sampled\",\"name\":");
        writer_put_json(out, p->sample_types[type].type);
        writer_printf(out, ",\"unit\":\"%s\"", unit_of(p->sample_types[type].unit));
        writer_put(out, ",\"startValue\":0,\"endValue\":");
        writer_put_int(out, export_total(p, (int)type, false));
        put_samples(out, p, f, type);
        writer_put_char(out, '}');
    }
    writer_put(out, "]}\n");
    free(title);
    frames_free(f);
    return true;
}
