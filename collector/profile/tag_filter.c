#include "profile/tag_filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/regex.h"
#include "profile/unit.h"

/* Either a range (of numeric labels) or expressions (on string labels). */
struct tag_filter {
    const struct profile *p;
    char *key; /* NULL: any key */
    bool is_range;
    bool has_low, has_high;
    double low, high;
    const char *unit;
    char *unit_text; /* what `unit` may point to */
    struct regex **expressions;
    size_t n_expressions;
};

/* `12kb` -> number and unit; *s moves on. The unit is letters only. */
static bool parse_amount(const char **s, int64_t *value, char unit[32])
{
    const char *digits = **s == '+' || **s == '-' ? *s + 1 : *s;
    size_t n = 0;
    char *end;
    if (!isdigit((unsigned char)*digits))
        return false;
    errno = 0;
    *value = strtoll(*s, &end, 10);
    while (n < 31 && isalpha((unsigned char)end[n])) {
        unit[n] = end[n];
        n++;
    }
    unit[n] = '\0';
    *s = end + n;
    return errno == 0;
}

/* `32kb`, `:64kb`, `4mb:`, `12kb:64mb`: both ends belong to it. */
static bool parse_range(struct tag_filter *f, const char *text)
{
    int64_t value;
    char unit[32], unit2[32];
    bool open_low = *text == ':';
    const char *s = open_low ? text + 1 : text;
    if (!parse_amount(&s, &value, unit))
        return false;
    f->unit_text = mem_strdup(unit);
    f->low = f->high = unit_scale(value, unit, f->unit_text, &f->unit);
    f->has_low = !open_low;
    f->has_high = true;
    if (!*s)
        return true;
    if (*s != ':' || open_low)
        return false;
    s++;
    if (!*s) {
        f->has_high = false;
        return true;
    }
    const char *second;
    if (!parse_amount(&s, &value, unit2) || *s)
        return false;
    f->high = unit_scale(value, unit2, f->unit, &second);
    return strcmp(second, f->unit) == 0;
}

static bool compile_expressions(struct tag_filter *f, const char *name, const char *text,
                                struct error *err)
{
    char *copy = mem_strdup(text), *rest = copy, *one;
    size_t cap = 0;
    bool ok = true;
    while (ok && (one = strsep(&rest, ","))) {
        struct regex *rx = regex_compile(name, one, err);
        ok = rx != NULL;
        if (ok) {
            f->expressions =
                mem_grow(f->expressions, f->n_expressions, &cap, sizeof(*f->expressions));
            f->expressions[f->n_expressions++] = rx;
        }
    }
    free(copy);
    return ok;
}

bool tag_filter_compile(struct tag_filter **out, const char *name, const char *text,
                        const struct profile *p, profile_notice_fn *notice, void *arg,
                        struct error *err)
{
    if (!text || !*text)
        return true;
    struct tag_filter *f = mem_zero(1, sizeof(*f));
    const char *equals = strchr(text, '=');
    f->p = p;
    if (equals) {
        f->key = mem_strdup(text);
        f->key[equals - text] = '\0';
        text = equals + 1;
    }
    f->is_range = parse_range(f, text);
    if (f->is_range) {
        char line[256];
        snprintf(line, sizeof(line), "%s:Interpreted '%.150s' as range, not regexp", name, text);
        notice(arg, line);
    } else if (!compile_expressions(f, name, text, err)) {
        tag_filter_free(f);
        return false;
    }
    *out = f;
    return true;
}

void tag_filter_free(struct tag_filter *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n_expressions; i++)
        regex_free(f->expressions[i]);
    free(f->expressions);
    free(f->unit_text);
    free(f->key);
    free(f);
}

static bool matches_range(const struct tag_filter *f, const struct profile_sample *s)
{
    for (size_t i = 0; i < s->n_labels; i++) {
        const struct profile_label *l = &s->labels[i];
        const char *unit;
        if (l->str || (f->key && strcmp(f->key, l->key) != 0))
            continue;
        double v = unit_scale(l->num, profile_label_unit(f->p, l->key), f->unit, &unit);
        if (strcmp(unit, f->unit) == 0 && (!f->has_low || v >= f->low) &&
            (!f->has_high || v <= f->high))
            return true;
    }
    return false;
}

static bool expression_matches(const struct tag_filter *f, const struct regex *rx,
                               const struct profile_sample *s)
{
    for (size_t i = 0; i < s->n_labels; i++) {
        const struct profile_label *l = &s->labels[i];
        if (!l->str || (f->key && strcmp(f->key, l->key) != 0))
            continue;
        /* Without a key the expression sees "key:value", so that it may name both. */
        char *both = f->key ? NULL : mem_printf("%s:%s", l->key, l->str);
        bool hit = regex_matches(rx, both ? both : l->str);
        free(both);
        if (hit)
            return true;
    }
    return false;
}

/* With a key one of the expressions has to match, without all of them: pprof's rule. */
bool tag_filter_matches(const struct tag_filter *f, const struct profile_sample *s)
{
    if (f->is_range)
        return matches_range(f, s);
    for (size_t i = 0; i < f->n_expressions; i++)
        if (expression_matches(f, f->expressions[i], s) == (f->key != NULL))
            return f->key != NULL;
    return f->key == NULL;
}

bool tag_filter_keys(struct profile *p, const char *show, const char *hide,
                     profile_notice_fn *notice, void *arg, struct error *err)
{
    struct regex *show_rx = NULL, *hide_rx = NULL;
    bool ok = true, shown = false, hidden = false;
    if (show && *show)
        ok = (show_rx = regex_compile("tagshow", show, err)) != NULL;
    if (ok && hide && *hide)
        ok = (hide_rx = regex_compile("taghide", hide, err)) != NULL;
    for (size_t i = 0; ok && (show_rx || hide_rx) && i < p->n_samples; i++) {
        struct profile_sample *s = p->samples[i];
        size_t n = 0;
        for (size_t j = 0; j < s->n_labels; j++) {
            bool in = !show_rx || regex_matches(show_rx, s->labels[j].key);
            bool out = hide_rx && regex_matches(hide_rx, s->labels[j].key);
            shown = shown || in;
            hidden = hidden || out;
            if (in && !out)
                s->labels[n++] = s->labels[j];
        }
        s->n_labels = n;
    }
    if (show_rx && !shown)
        notice(arg, "TagShow expression matched no samples");
    if (hide_rx && !hidden)
        notice(arg, "TagHide expression matched no samples");
    regex_free(show_rx);
    regex_free(hide_rx);
    return ok;
}
