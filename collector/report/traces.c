/* Every sample with its whole stack; every label with its share; everything raw. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "report/label_text.h"
#include "report/report.h"

static const char separator[] = "-----------+--------------------------------------------"
                                "-----------";

/* What a frame is called: the same as a graph's node is. */
static void print_frame(const struct profile_location *l, const struct profile_line *line,
                        FILE *out)
{
    if (!line) {
        const char *file = l->mapping ? l->mapping->file : "", *slash = strrchr(file, '/');
        if (l->address)
            fprintf(out, "%016" PRIx64 " ", l->address);
        if (*file)
            fprintf(out, "[%s]", slash ? slash + 1 : file);
        else
            fputs("<unknown>", out);
        return;
    }
    char *label = label_for_line(l, line);
    fputs(label, out);
    free(label);
}

static void print_stack(const struct profile_sample *s, const char *value, FILE *out)
{
    for (size_t i = 0; i < s->n_locations; i++) {
        const struct profile_location *l = s->locations[i];
        size_t n = l->n_lines ? l->n_lines : 1;
        for (size_t j = 0; j < n; j++) {
            fprintf(out, "%10s   ", value);
            print_frame(l, l->n_lines ? &l->lines[j] : NULL, out);
            fprintf(out, "%s\n", j + 1 < n ? " (inline)" : "");
            value = "";
        }
    }
}

void report_traces(struct report *r, FILE *out)
{
    char buf[UNIT_TEXT];
    report_print_profile_labels(r, out);
    for (size_t i = 0; i < r->p->n_samples; i++) {
        const struct profile_sample *s = r->p->samples[i];
        int64_t value = s->values[r->index];
        if (!s->n_locations)
            continue;
        fprintf(out, "%s\n", separator);
        label_print_lines(r->p, s, out);
        if (r->o.mean && s->values[0])
            value /= s->values[0];
        print_stack(s, report_value(r, buf, value), out);
    }
    fprintf(out, "%s\n", separator);
}

/* ---- raw ---- */

static void print_raw_header(const struct profile *p, FILE *out)
{
    for (size_t i = 0; i < p->n_comments; i++)
        fprintf(out, "Comment: %s\n", p->comments[i]);
    if (*p->period_type.type || *p->period_type.unit)
        fprintf(out, "PeriodType: %s %s\n", p->period_type.type, p->period_type.unit);
    fprintf(out, "Period: %" PRId64 "\n", p->period);
    if (p->time_nanos) {
        time_t seconds = p->time_nanos / 1000000000;
        long nanos = (long)(p->time_nanos % 1000000000);
        struct tm tm;
        char text[64], fraction[16] = "", zone[64];
        localtime_r(&seconds, &tm);
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
        strftime(zone, sizeof(zone), "%z %Z", &tm);
        if (nanos) {
            int n = snprintf(fraction, sizeof(fraction), ".%09ld", nanos);
            while (fraction[n - 1] == '0')
                fraction[--n] = '\0';
        }
        fprintf(out, "Time: %s%s %s\n", text, fraction, zone);
    }
    if (p->duration_nanos)
        label_print_duration(p->duration_nanos, out);
}

static void print_raw_location(const struct profile_location *l, FILE *out)
{
    fprintf(out, "%6" PRIu64 ": 0x%" PRIx64 " ", l->id, l->address);
    if (l->mapping)
        fprintf(out, "M=%" PRIu64 " ", l->mapping->id);
    if (l->is_folded)
        fputs("[F] ", out);
    for (size_t i = 0; i < l->n_lines; i++) {
        const struct profile_function *f = l->lines[i].function;
        fprintf(out, "%s%s %s:%" PRId64 " s=%" PRId64, i ? "             " : "", f->name,
                f->filename, l->lines[i].line, f->start_line);
        if (f->name != f->system_name)
            fprintf(out, "(%s)", f->system_name);
        if (i + 1 < l->n_lines)
            fputc('\n', out);
    }
    fputc('\n', out);
}

void report_raw(const struct profile *p, FILE *out)
{
    print_raw_header(p, out);
    fputs("Samples:\n", out);
    for (size_t i = 0; i < p->n_sample_types; i++)
        fprintf(out, "%s%s/%s%s", i ? " " : "", p->sample_types[i].type, p->sample_types[i].unit,
                p->sample_types[i].type == p->default_sample_type ? "[dflt]" : "");
    fputc('\n', out);
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *s = p->samples[i];
        for (size_t j = 0; j < p->n_sample_types; j++)
            fprintf(out, " %10" PRId64, s->values[j]);
        fputs(": ", out);
        for (size_t j = 0; j < s->n_locations; j++)
            fprintf(out, "%" PRIu64 " ", s->locations[j]->id);
        fputc('\n', out);
        label_print_raw(s, out);
    }
    fputs("Locations\n", out);
    for (size_t i = 0; i < p->n_locations; i++)
        print_raw_location(p->locations[i], out);
    fputs("Mappings\n", out);
    for (size_t i = 0; i < p->n_mappings; i++) {
        const struct profile_mapping *m = p->mappings[i];
        fprintf(out, "%" PRIu64 ": 0x%" PRIx64 "/0x%" PRIx64 "/0x%" PRIx64 " %s %s %s%s%s%s\n",
                m->id, m->start, m->limit, m->offset, m->file, m->build_id,
                m->has_functions ? "[FN]" : "", m->has_filenames ? "[FL]" : "",
                m->has_line_numbers ? "[LN]" : "", m->has_inline_frames ? "[IN]" : "");
    }
}
