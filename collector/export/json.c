#include "export/json.h"

#include <stdlib.h>
#include <time.h>

#include "export/strings.h"
#include "export/tree.h"

static void put_key(struct writer *w, const char *key, bool first)
{
    writer_printf(w, "%s\"%s\":", first ? "" : ",", key);
}

static void put_string(struct writer *w, const char *key, const char *text)
{
    put_key(w, key, false);
    writer_put_json(w, text);
}

static void put_type(struct writer *w, const struct profile_value_type *type)
{
    writer_put(w, "{\"type\":");
    writer_put_json(w, type->type);
    put_string(w, "unit", type->unit);
}

static void put_time(struct writer *w, const struct profile *p)
{
    time_t seconds = (time_t)(p->time_nanos / 1000000000);
    struct tm tm;
    char text[64];
    put_key(w, "time", false);
    if (p->time_nanos > 0 && gmtime_r(&seconds, &tm) &&
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
        writer_put_json(w, text);
    else
        writer_put(w, "null");
}

static void put_header(struct writer *w, const struct profile *p,
                       const struct export_options *options, bool is_diff)
{
    char *title = export_title(p, options);
    writer_put(w, "{\"format\":\"libprof-flame\",\"version\":1");
    put_string(w, "program", profile_program_name(p));
    put_string(w, "title", title);
    free(title);
    put_time(w, p);
    put_key(w, "duration_ns", false);
    writer_put_int(w, p->duration_nanos);
    put_key(w, "period", false);
    put_type(w, &p->period_type);
    put_key(w, "value", false);
    writer_put_int(w, p->period);
    writer_put(w, "},\"comments\":[");
    for (size_t i = 0; i < p->n_comments; i++) {
        writer_put(w, i ? "," : "");
        writer_put_json(w, p->comments[i]);
    }
    writer_put(w, "],\"sample_types\":[");
    for (size_t i = 0; i < p->n_sample_types; i++) {
        writer_put(w, i ? "," : "");
        put_type(w, &p->sample_types[i]);
        writer_put_char(w, '}');
    }
    writer_printf(w, "],\"default\":%d,\"diff\":%s", options->type, is_diff ? "true" : "false");
}

static void put_frames(struct writer *w, const struct frames *f)
{
    struct string_table strings = {0};
    string_table_index(&strings, "");
    writer_put(w, ",\"frames\":{");
    for (int column = 0; column < 4; column++) {
        static const char *const names[] = {"name", "file", "object", "line"};
        put_key(w, names[column], column == 0);
        writer_put_char(w, '[');
        for (size_t i = 0; i < f->n; i++) {
            const struct frame *frame = &f->list[i];
            const char *text[] = {frame->name, frame->file, frame->object};
            if (i)
                writer_put_char(w, ',');
            writer_put_int(w,
                           column < 3 ? string_table_index(&strings, text[column]) : frame->line);
        }
        writer_put_char(w, ']');
    }
    writer_put(w, "},\"strings\":");
    string_table_write_json(&strings, w);
    string_table_free(&strings);
}

static void put_values(struct writer *w, const struct tree *t, const char *key,
                       const int64_t *values)
{
    put_key(w, key, false);
    writer_put_char(w, '[');
    for (size_t type = 0; type < t->n_types; type++) {
        writer_put(w, type ? ",[" : "[");
        for (size_t i = 0; i < t->n; i++) {
            if (i)
                writer_put_char(w, ',');
            writer_put_int(w, values[i * t->n_types + type]);
        }
        writer_put_char(w, ']');
    }
    writer_put_char(w, ']');
}

static void put_nodes(struct writer *w, const struct tree *t)
{
    writer_put(w, ",\"nodes\":{\"frame\":[-1");
    for (size_t i = 1; i < t->n; i++) {
        writer_put_char(w, ',');
        writer_put_uint(w, t->nodes[i].frame);
    }
    writer_put(w, "],\"depth\":[0");
    for (size_t i = 1; i < t->n; i++) {
        writer_put_char(w, ',');
        writer_put_uint(w, t->nodes[i].depth);
    }
    writer_put(w, "],\"inlined\":[0");
    for (size_t i = 1; i < t->n; i++)
        writer_put(w, t->nodes[i].inlined ? ",1" : ",0");
    writer_put_char(w, ']');
    put_values(w, t, "self", t->self);
    if (t->base_self)
        put_values(w, t, "base_self", t->base_self);
    writer_put_char(w, '}');
}

bool json_write(struct writer *out, const struct profile *p, const struct export_options *options,
                struct error *err)
{
    struct tree *t = tree_new(p);
    put_header(out, p, options, t->base_self != NULL);
    put_frames(out, t->frames);
    put_nodes(out, t);
    writer_put(out, "}\n");
    tree_free(t);
    return true;
}
