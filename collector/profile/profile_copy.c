#include <string.h>

#include "profile/profile_ops.h"

struct profile *profile_copy(const struct profile *p)
{
    struct profile *out = profile_new();
    out->drop_frames = profile_intern(out, p->drop_frames);
    out->keep_frames = profile_intern(out, p->keep_frames);
    out->default_sample_type = profile_intern(out, p->default_sample_type);
    out->doc_url = profile_intern(out, p->doc_url);
    out->period_type.type = profile_intern(out, p->period_type.type);
    out->period_type.unit = profile_intern(out, p->period_type.unit);
    out->period = p->period;
    out->time_nanos = p->time_nanos;
    out->duration_nanos = p->duration_nanos;
    for (size_t i = 0; i < p->n_sample_types; i++)
        profile_add_sample_type(out, p->sample_types[i].type, p->sample_types[i].unit);
    for (size_t i = 0; i < p->n_comments; i++)
        profile_add_comment(out, p->comments[i]);
    for (size_t i = 0; i < p->n_mappings; i++) {
        struct profile_mapping *m = profile_add_mapping(out);
        *m = *p->mappings[i];
        m->file = profile_intern(out, p->mappings[i]->file);
        m->build_id = profile_intern(out, p->mappings[i]->build_id);
    }
    for (size_t i = 0; i < p->n_functions; i++) {
        const struct profile_function *f = p->functions[i];
        profile_add_function(out, f->name, f->system_name, f->filename, f->start_line);
    }
    for (size_t i = 0; i < p->n_locations; i++) {
        const struct profile_location *l = p->locations[i];
        struct profile_location *to = profile_add_location(
            out, l->mapping ? out->mappings[l->mapping->id - 1] : NULL, l->address, l->n_lines);
        to->is_folded = l->is_folded;
        for (size_t j = 0; j < l->n_lines; j++) {
            to->lines[j] = l->lines[j];
            to->lines[j].function = out->functions[l->lines[j].function->id - 1];
        }
    }
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *s = p->samples[i];
        struct profile_sample *to = profile_add_sample(out, s->n_locations, s->n_labels);
        memcpy(to->values, s->values, p->n_sample_types * sizeof(*s->values));
        for (size_t j = 0; j < s->n_locations; j++)
            to->locations[j] = out->locations[s->locations[j]->id - 1];
        for (size_t j = 0; j < s->n_labels; j++) {
            to->labels[j] = s->labels[j];
            to->labels[j].key = profile_intern(out, s->labels[j].key);
            to->labels[j].unit = profile_intern(out, s->labels[j].unit);
            if (s->labels[j].str)
                to->labels[j].str = profile_intern(out, s->labels[j].str);
        }
    }
    return out;
}
