#include "report/label_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "profile/profile_ops.h"
#include "profile/unit.h"
#include "report/path.h"

char *label_for_line(const struct profile_location *l, const struct profile_line *line)
{
    const struct profile_function *f = line->function;
    char address[24] = "", number[24] = "";
    char *file = *f->filename ? path_clean(f->filename) : mem_strdup("");
    bool place = line->line || *file;
    if (l->address)
        snprintf(address, sizeof(address), "%016" PRIx64 "%s", l->address,
                 *f->name || place ? " " : "");
    if (line->line)
        snprintf(number, sizeof(number), ":%" PRId64, line->line);
    char *text;
    if (*f->name || place) {
        text = mem_printf("%s%s%s%s%s", address, f->name, *f->name && place ? " " : "",
                          place ? file : "", number);
    } else {
        const char *object = l->mapping ? l->mapping->file : "", *slash = strrchr(object, '/');
        const char *space = l->address ? " " : "";
        text = *object ? mem_printf("%s%s[%s]", address, space, slash ? slash + 1 : object)
                       : mem_printf("%s%s<unknown>", address, space);
    }
    free(file);
    return text;
}

/* Distinct keys of the string (or numeric) labels; returns how many. */
static size_t distinct_keys(const struct profile_sample *s, bool strings, const char **keys)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_labels; i++) {
        if ((s->labels[i].str != NULL) != strings)
            continue;
        size_t j = 0;
        while (j < n && strcmp(keys[j], s->labels[i].key) != 0)
            j++;
        if (j == n)
            keys[n++] = s->labels[i].key;
    }
    return n;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One finished line for each key; sorted as text, which is not always by key. */
struct lines {
    char **list;
    size_t n;
};

static void lines_print(struct lines *l, const char *between, FILE *out)
{
    qsort(l->list, l->n, sizeof(*l->list), compare_texts);
    for (size_t i = 0; i < l->n; i++) {
        fprintf(out, "%s%s", i ? between : "", l->list[i]);
        free(l->list[i]);
    }
    free(l->list);
}

/* All values of a key, separated by blanks, each written by `value`. malloc'ed. */
typedef void value_fn(const struct profile *p, const struct profile_label *l, FILE *out);

static char *join_values(const struct profile *p, const struct profile_sample *s, const char *key,
                         bool strings, value_fn *value)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool first = true;
    if (!out)
        mem_die();
    for (size_t i = 0; i < s->n_labels; i++) {
        const struct profile_label *l = &s->labels[i];
        if ((l->str != NULL) != strings || strcmp(l->key, key) != 0)
            continue;
        if (!first)
            fputc(' ', out);
        first = false;
        value(p, l, out);
    }
    fclose(out);
    return text;
}

static struct lines make_lines(const struct profile *p, const struct profile_sample *s,
                               bool strings, const char *format, value_fn *value)
{
    const char **keys = mem_zero(s->n_labels, sizeof(*keys));
    struct lines l = {.n = distinct_keys(s, strings, keys)};
    l.list = mem_zero(l.n, sizeof(*l.list));
    for (size_t i = 0; i < l.n; i++) {
        char *values = join_values(p, s, keys[i], strings, value);
        /* The two forms there are. */
        l.list[i] = *format == 't' ? mem_printf("%10s:  %s\n", keys[i], values)
                                   : mem_printf("%s:[%s]", keys[i], values);
        free(values);
    }
    free(keys);
    return l;
}

static void print_plain(const struct profile *p, const struct profile_label *l, FILE *out)
{
    (void)p;
    fputs(l->str, out);
}

static void print_scaled(const struct profile *p, const struct profile_label *l, FILE *out)
{
    char buf[UNIT_TEXT];
    fputs(unit_format(buf, l->num, profile_label_unit(p, l->key), "auto"), out);
}

static void print_number(const struct profile *p, const struct profile_label *l, FILE *out)
{
    (void)p;
    fprintf(out, "%" PRId64 "%s%s", l->num, *l->unit ? " " : "", l->unit);
}

void label_print_lines(const struct profile *p, const struct profile_sample *s, FILE *out)
{
    if (!s->n_labels)
        return;
    struct lines strings = make_lines(p, s, true, "traces", print_plain);
    lines_print(&strings, "", out);
    struct lines numbers = make_lines(p, s, false, "traces", print_scaled);
    lines_print(&numbers, "", out);
}

void label_print_raw(const struct profile_sample *s, FILE *out)
{
    if (!s->n_labels)
        return;
    struct lines strings = make_lines(NULL, s, true, "raw", print_plain);
    struct lines numbers = make_lines(NULL, s, false, "raw", print_number);
    struct lines *both[] = {&strings, &numbers};
    for (int i = 0; i < 2; i++) {
        bool any = both[i]->n > 0;
        if (any)
            fputs("                ", out);
        lines_print(both[i], " ", out);
        if (any)
            fputc('\n', out);
    }
}

/* value / unit with as many decimals as it takes. */
static void print_fraction(char *to, size_t size, uint64_t value, uint64_t unit, const char *name)
{
    int digits = 0, n = snprintf(to, size, "%" PRIu64, value / unit);
    uint64_t rest = value % unit;
    for (uint64_t u = unit; u > 1; u /= 10)
        digits++;
    if (rest) {
        n += snprintf(to + n, size - (size_t)n, ".%0*" PRIu64, digits, rest);
        while (to[n - 1] == '0')
            n--;
    }
    snprintf(to + n, size - (size_t)n, "%s", name);
}

/* pprof prints Go's text for a duration, cut to four characters. */
void label_print_duration(int64_t nanos, FILE *out)
{
    char text[96] = "-";
    size_t at = nanos < 0;
    uint64_t n = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos, minute = 60000000000ULL;
    if (n < 1000000000) {
        uint64_t unit = n < 1000 ? 1 : n < 1000000 ? 1000 : 1000000;
        print_fraction(text + at, sizeof(text) - at, n, unit,
                       unit == 1      ? "ns"
                       : unit == 1000 ? "\u00b5s"
                                      : "ms");
    } else {
        if (n >= 60 * minute)
            at += (size_t)sprintf(text + at, "%" PRIu64 "h", n / (60 * minute));
        if (n >= minute)
            at += (size_t)sprintf(text + at, "%" PRIu64 "m", n / minute % 60);
        print_fraction(text + at, sizeof(text) - at, n % minute, 1000000000, "s");
    }
    fprintf(out, "Duration: %.4s\n", text);
}
