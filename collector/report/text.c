#include "report/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "profile/profile_ops.h"
#include "profile/unit.h"
#include "report/text_frames.h"

/* A sample with the raw numbers of its record line, or the first of several that share one. */
struct record {
    const struct profile_sample *sample;
    int64_t inuse_count, inuse_size, alloc_count, alloc_size;
    char *key;           /* addresses as text, for the order of equal counts */
    struct record *same; /* the next one that is counted on this one's line */
};

static int find_type(const struct profile *p, const char *type)
{
    for (size_t i = 0; i < p->n_sample_types; i++)
        if (strcmp(p->sample_types[i].type, type) == 0)
            return (int)i;
    return -1;
}

static void print_comments(const struct profile *p, FILE *out)
{
    if (p->n_comments)
        fprintf(out, "\n");
    for (size_t i = 0; i < p->n_comments; i++)
        fprintf(out, "%s%s\n", *p->comments[i] == '#' ? "" : "# ", p->comments[i]);
}

static void print_memory_map(const struct profile *p, FILE *out)
{
    fprintf(out, "\n--- Memory map: ---\n");
    for (size_t i = 0; i < p->n_mappings; i++) {
        const struct profile_mapping *m = p->mappings[i];
        /* The brief form: unlike that of /proc it has room for a build id. */
        fprintf(out, "%" PRIx64 "-%" PRIx64 " %s (@%" PRIx64 ") %s\n", m->start, m->limit, m->file,
                m->offset, m->build_id);
    }
}

/* ---- heap ---- */

static int compare_heap(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    if (x->inuse_size != y->inuse_size)
        return x->inuse_size > y->inuse_size ? -1 : 1;
    return (x->alloc_size < y->alloc_size) - (x->alloc_size > y->alloc_size);
}

/* The profile holds estimates; the text holds what was sampled, and its readers
 * scale that up again. */
static void unscale(const struct profile *p, const struct profile_sample *s, int count, int size,
                    int64_t *raw_count, int64_t *raw_size)
{
    const struct profile_label *bytes = profile_find_label(s, "bytes");
    *raw_count = s->values[count];
    *raw_size = s->values[size];
    profile_unscale_heap(raw_count, raw_size, bytes && !bytes->str ? bytes->num : 0, p->period);
    /* No readers take a size without a count. */
    if (!*raw_count)
        *raw_size = 0;
}

static void print_heap(const struct profile *p, const struct text_options *o, FILE *out)
{
    int inuse_objects = find_type(p, "inuse_objects"), inuse_space = find_type(p, "inuse_space");
    int alloc_objects = find_type(p, "alloc_objects"), alloc_space = find_type(p, "alloc_space");
    struct record *records = mem_zero(p->n_samples, sizeof(*records)), total = {0};
    if (inuse_objects < 0 || inuse_space < 0) {
        inuse_objects = find_type(p, "objects");
        inuse_space = find_type(p, "space");
    }
    for (size_t i = 0; i < p->n_samples; i++) {
        struct record *r = &records[i];
        r->sample = p->samples[i];
        unscale(p, r->sample, inuse_objects, inuse_space, &r->inuse_count, &r->inuse_size);
        if (alloc_objects >= 0 && alloc_space >= 0)
            unscale(p, r->sample, alloc_objects, alloc_space, &r->alloc_count, &r->alloc_size);
        total.inuse_count += r->inuse_count;
        total.inuse_size += r->inuse_size;
        total.alloc_count += r->alloc_count;
        total.alloc_size += r->alloc_size;
    }
    /* Readers see four columns only where the header's two pairs differ. */
    if (alloc_objects >= 0 && total.alloc_count == total.inuse_count &&
        total.alloc_size == total.inuse_size)
        total.alloc_size++;
    qsort(records, p->n_samples, sizeof(*records), compare_heap);
    fprintf(out,
            "heap profile: %" PRId64 ": %" PRId64 " [%" PRId64 ": %" PRId64 "] @ heap/%" PRId64
            "\n",
            total.inuse_count, total.inuse_size, total.alloc_count, total.alloc_size,
            2 * (p->period > 0 ? p->period : 1));
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct record *r = &records[i];
        fprintf(out, "%" PRId64 ": %" PRId64 " [%" PRId64 ": %" PRId64 "] @", r->inuse_count,
                r->inuse_size, r->alloc_count, r->alloc_size);
        text_print_addresses(r->sample, out);
        fputc('\n', out);
        text_print_frames(r->sample, o->entries, out);
    }
    free(records);
}

/* ---- counts ---- */

static int compare_keys(const void *a, const void *b)
{
    const struct record *x = *(struct record *const *)a, *y = *(struct record *const *)b;
    int order = strcmp(x->key, y->key);
    return order ? order : (x > y) - (x < y);
}

static int compare_counts(const void *a, const void *b)
{
    const struct record *x = *(struct record *const *)a, *y = *(struct record *const *)b;
    if (x->inuse_count != y->inuse_count)
        return x->inuse_count > y->inuse_count ? -1 : 1;
    return compare_keys(a, b);
}

static int compare_labels(const void *a, const void *b)
{
    const struct profile_label *x = *(struct profile_label *const *)a;
    const struct profile_label *y = *(struct profile_label *const *)b;
    return strcmp(x->key, y->key);
}

/* Those that the sample has in common with `other`. */
static size_t common_labels(const struct profile_label **labels, size_t n,
                            const struct profile_sample *other)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct profile_label *same = profile_find_label(other, labels[i]->key);
        if (same && same->num == labels[i]->num && !same->str == !labels[i]->str &&
            (!same->str || strcmp(same->str, labels[i]->str) == 0))
            labels[kept++] = labels[i];
    }
    return kept;
}

/* The labels that all the samples of the record have. */
static void print_labels(const struct record *r, FILE *out)
{
    const struct profile_sample *s = r->sample;
    if (!s->n_labels)
        return;
    const struct profile_label **sorted = mem_zero(s->n_labels, sizeof(*sorted));
    size_t n = s->n_labels;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &s->labels[i];
    for (const struct record *next = r->same; next && n; next = next->same)
        n = common_labels(sorted, n, next->sample);
    qsort(sorted, n, sizeof(*sorted), compare_labels);
    if (n)
        fputs("# labels: {", out);
    for (size_t i = 0; i < n; i++) {
        char number[32];
        snprintf(number, sizeof(number), "%" PRId64, sorted[i]->num);
        if (i)
            fputs(", ", out);
        text_print_quoted(sorted[i]->key, out);
        fputc(':', out);
        text_print_quoted(sorted[i]->str ? sorted[i]->str : number, out);
    }
    if (n)
        fputs("}\n", out);
    free(sorted);
}

static char *address_text(const struct profile_sample *s)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        mem_die();
    text_print_addresses(s, out);
    fclose(out);
    return text;
}

/* A thread's sample has labels of its own, but a pool of a thousand that all wait in one place
 * is one line, as in Go: the first of them counts them all. Other labels were made to tell
 * samples apart, and do. The list is in the order of the keys. Returns how many are left. */
static size_t join_equal_stacks(struct record **list, size_t n)
{
    size_t kept = 0;
    struct record *last = NULL;
    for (size_t i = 0; i < n; i++) {
        bool is_thread = profile_find_label(list[i]->sample, "tid") != NULL;
        if (is_thread && last && strcmp(last->key, list[i]->key) == 0) {
            list[kept - 1]->inuse_count += list[i]->inuse_count;
            last->same = list[i];
        } else {
            list[kept++] = list[i];
        }
        last = is_thread ? list[i] : NULL;
    }
    return kept;
}

static void print_counts(const struct profile *p, const char *name, const struct text_options *o,
                         FILE *out)
{
    struct record *records = mem_zero(p->n_samples, sizeof(*records));
    struct record **list = mem_zero(p->n_samples, sizeof(*list));
    size_t n = p->n_samples;
    int64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        records[i].sample = p->samples[i];
        records[i].inuse_count = p->samples[i]->values[0];
        records[i].key = address_text(p->samples[i]);
        list[i] = &records[i];
        total += records[i].inuse_count;
    }
    qsort(list, n, sizeof(*list), compare_keys);
    if (strcmp(p->sample_types[0].type, "goroutine") == 0)
        n = join_equal_stacks(list, n);
    qsort(list, n, sizeof(*list), compare_counts);
    /* The name is a word for its readers. */
    for (const char *s = name; *s; s++)
        fputc(*s == ' ' || *s == '\n' ? '_' : *s, out);
    fprintf(out, " profile: total %" PRId64 "\n", total);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%" PRId64 " @%s\n", list[i]->inuse_count, list[i]->key);
        print_labels(list[i], out);
        text_print_frames(list[i]->sample, o->entries, out);
    }
    for (size_t i = 0; i < p->n_samples; i++)
        free(records[i].key);
    free(list);
    free(records);
}

/* ---- contention ---- */

static int compare_delays(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    return (x->inuse_size < y->inuse_size) - (x->inuse_size > y->inuse_size);
}

static void print_contention(const struct profile *p, const char *name,
                             const struct text_options *o, FILE *out)
{
    struct record *records = mem_zero(p->n_samples, sizeof(*records));
    bool mutex = strcmp(name, "mutex") == 0;
    int count = find_type(p, "contentions"), delay = find_type(p, "delay");
    for (size_t i = 0; i < p->n_samples; i++) {
        records[i].sample = p->samples[i];
        records[i].inuse_count = p->samples[i]->values[count];
        records[i].inuse_size = p->samples[i]->values[delay];
    }
    qsort(records, p->n_samples, sizeof(*records), compare_delays);
    /* A cycle is a nanosecond, so values come back as they are. */
    fprintf(out, "--- %s:\ncycles/second=1000000000\n", mutex ? "mutex" : "contention");
    if (mutex)
        fputs("sampling period=1\n", out);
    for (size_t i = 0; i < p->n_samples; i++) {
        fprintf(out, "%" PRId64 " %" PRId64 " @", records[i].inuse_size, records[i].inuse_count);
        text_print_addresses(records[i].sample, out);
        fputc('\n', out);
        text_print_frames(records[i].sample, o->entries, out);
    }
    free(records);
}

void text_print_debug1(const struct profile *p, const char *name, const struct text_options *o,
                       FILE *out)
{
    bool heap = (find_type(p, "inuse_objects") >= 0 && find_type(p, "inuse_space") >= 0) ||
                (find_type(p, "objects") >= 0 && find_type(p, "space") >= 0);
    if (heap) {
        print_heap(p, o, out);
    } else if (find_type(p, "contentions") >= 0 && find_type(p, "delay") >= 0) {
        print_contention(p, name ? name : "contention", o, out);
    } else {
        bool cpu = strcmp(p->period_type.type, "cpu") == 0;
        print_counts(p, name ? name : cpu ? "cpu" : p->sample_types[0].type, o, out);
    }
    print_comments(p, out);
    if (o->memory_map)
        print_memory_map(p, out);
}

/* ---- debug=2 ---- */

static const char *label_text(const struct profile_sample *s, const char *key, char buf[32])
{
    const struct profile_label *l = profile_find_label(s, key);
    if (!l)
        return "";
    if (!l->str)
        snprintf(buf, 32, "%" PRId64, l->num);
    return l->str ? l->str : buf;
}

/* "futex (worker-1), 3 minutes": tools that read tracebacks want the state first and
 * know minutes only. */
static void print_state(const struct profile_sample *s, FILE *out)
{
    char a[32], b[32];
    const char *state = label_text(s, "state", a), *thread = label_text(s, "thread", b);
    const struct profile_label *wait = profile_find_label(s, "wait");
    fputs(*state ? state : "waiting", out);
    if (wait && wait->str && *wait->str)
        fprintf(out, " %s", wait->str);
    if (*thread)
        fprintf(out, " (%s)", thread);
    if (wait && !wait->str) {
        const char *unit;
        double seconds = unit_scale(wait->num, *wait->unit ? wait->unit : "seconds", "s", &unit);
        if (seconds >= 60)
            fprintf(out, ", %.0f minutes", seconds / 60 - 0.5);
    }
}

static void print_stack(const struct profile_sample *s, const struct text_options *o, FILE *out)
{
    for (size_t i = 0; i < s->n_locations; i++) {
        const struct profile_location *l = s->locations[i];
        uint64_t entry = o->entries ? o->entries[l->id - 1] : 0;
        if (!l->n_lines)
            fprintf(out, "0x%" PRIx64 "(...)\n\t%s:0\n", l->address,
                    l->mapping && *l->mapping->file ? l->mapping->file : "?");
        for (size_t j = 0; j < l->n_lines; j++) {
            const struct profile_function *f = l->lines[j].function;
            fprintf(out, "%s(...)\n\t%s:%" PRId64, f->name, *f->filename ? f->filename : "?",
                    l->lines[j].line);
            if (entry && entry <= l->address && j == l->n_lines - 1)
                fprintf(out, " +0x%" PRIx64, l->address - entry);
            fputc('\n', out);
        }
    }
}

void text_print_debug2(const struct profile *p, const struct text_options *o, FILE *out)
{
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *s = p->samples[i];
        char buf[32];
        const char *tid = label_text(s, "tid", buf);
        fprintf(out, "%sgoroutine %s [", i ? "\n" : "", *tid ? tid : "0");
        print_state(s, out);
        fputs("]:\n", out);
        if (s->values[0] != 1)
            fprintf(out, "# %" PRId64 " of these\n", s->values[0]);
        print_stack(s, o, out);
    }
}
