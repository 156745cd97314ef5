/* What is still in use, by the stack that allocated it, as LeakSanitizer shows it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/report.h"
#include "report/suppress.h"

struct leak {
    const struct profile_sample *stack; /* of any of its samples: they share it */
    int64_t objects, bytes;
};

static int by_stack(const void *p, const void *q)
{
    const struct profile_sample *a = ((const struct leak *)p)->stack;
    const struct profile_sample *b = ((const struct leak *)q)->stack;
    size_t n = a->n_locations < b->n_locations ? a->n_locations : b->n_locations;
    for (size_t i = 0; i < n; i++)
        if (a->locations[i]->id != b->locations[i]->id)
            return a->locations[i]->id < b->locations[i]->id ? -1 : 1;
    return (a->n_locations > b->n_locations) - (a->n_locations < b->n_locations);
}

static int by_bytes(const void *p, const void *q)
{
    const struct leak *a = p, *b = q;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return by_stack(p, q);
}

static void print_leak(const struct leak *l, FILE *out)
{
    unsigned number = 0;
    fprintf(out, "%" PRId64 " byte(s) in %" PRId64 " object(s) allocated from:\n", l->bytes,
            l->objects);
    for (size_t i = 0; i < l->stack->n_locations; i++) {
        const struct profile_location *at = l->stack->locations[i];
        for (size_t j = 0; j < at->n_lines; j++) {
            const struct profile_line *line = &at->lines[j];
            fprintf(out, "    #%u 0x%" PRIx64 " in %s", number++, at->address,
                    line->function->name);
            if (*line->function->filename)
                fprintf(out, " %s:%" PRId64, line->function->filename, line->line);
            else if (at->mapping)
                fprintf(out, " (%s)", at->mapping->file);
            fputc('\n', out);
        }
        if (!at->n_lines)
            fprintf(out, "    #%u 0x%" PRIx64 " (%s)\n", number++, at->address,
                    at->mapping ? at->mapping->file : "unknown");
    }
    fputc('\n', out);
}

/* The records of one stack differ in their size label: they are one leak. */
static size_t join(struct leak *leaks, size_t n)
{
    size_t kept = 0;
    if (!n)
        return 0;
    qsort(leaks, n, sizeof(*leaks), by_stack);
    for (size_t i = 1; i < n; i++) {
        if (by_stack(&leaks[kept], &leaks[i]) == 0) {
            leaks[kept].objects += leaks[i].objects;
            leaks[kept].bytes += leaks[i].bytes;
        } else {
            leaks[++kept] = leaks[i];
        }
    }
    qsort(leaks, kept + 1, sizeof(*leaks), by_bytes);
    return kept + 1;
}

static void print_suppressed(const struct suppressions *s, FILE *out)
{
    bool any = false;
    for (size_t i = 0; i < s->n; i++) {
        if (!s->list[i].objects)
            continue;
        if (!any)
            fputs("Suppressions used:\n  count      bytes template\n", out);
        any = true;
        fprintf(out, "%7" PRId64 " %10" PRId64 " %s\n", s->list[i].objects, s->list[i].bytes,
                s->list[i].pattern);
    }
    if (any)
        fputc('\n', out);
}

bool report_leaks(struct report *r, const char *suppression_file, FILE *out, struct error *err)
{
    struct suppressions known = {0};
    int objects = profile_find_index(r->p, "inuse_objects", err);
    int bytes = profile_find_index(r->p, "inuse_space", err);
    if (objects < 0 || bytes < 0)
        return fail_with(err, "is no heap profile: it has no inuse_space");
    if (suppression_file && !suppressions_read(&known, suppression_file, err)) {
        suppressions_free(&known);
        return false;
    }
    struct leak *leaks = mem_zero(r->p->n_samples, sizeof(*leaks));
    size_t n = 0;
    int64_t total_bytes = 0, total_objects = 0;
    for (size_t i = 0; i < r->p->n_samples; i++) {
        const struct profile_sample *s = r->p->samples[i];
        if (s->values[bytes] <= 0)
            continue;
        struct suppression *hit = suppressions_find(&known, s);
        if (hit) {
            hit->objects += s->values[objects];
            hit->bytes += s->values[bytes];
            continue;
        }
        leaks[n++] = (struct leak){s, s->values[objects], s->values[bytes]};
        total_bytes += s->values[bytes];
        total_objects += s->values[objects];
    }
    n = join(leaks, n);
    size_t shown = r->o.node_count > 0 && (size_t)r->o.node_count < n ? (size_t)r->o.node_count : n;
    for (size_t i = 0; i < shown; i++)
        print_leak(&leaks[i], out);
    if (shown < n)
        fprintf(out, "(%zu smaller ones: see -nodecount)\n\n", n - shown);
    print_suppressed(&known, out);
    fprintf(out,
            "SUMMARY: %" PRId64 " byte(s) in %" PRId64 " object(s) in use, allocated at %zu "
            "place(s)%s\n",
            total_bytes, total_objects, n, r->p->period > 1 ? " (estimated from samples)" : "");
    free(leaks);
    suppressions_free(&known);
    return true;
}
