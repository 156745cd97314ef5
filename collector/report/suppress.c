#include "report/suppress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool suppressions_read(struct suppressions *s, const char *path, struct error *err)
{
    FILE *in = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0, number = 0;
    bool ok = true;
    if (!in)
        return fail_with(err, "%s", strerror(errno));
    while (ok && getline(&line, &cap, in) > 0) {
        char *at = line + strspn(line, " \t");
        at[strcspn(at, "\r\n")] = '\0';
        number++;
        if (!*at || *at == '#')
            continue;
        if (strncmp(at, "leak:", 5) != 0 || !at[5]) {
            ok = fail_with(err, "line %zu: '%.100s' is not leak:PATTERN", number, at);
            break;
        }
        s->list = mem_grow(s->list, s->n, &s->cap, sizeof(*s->list));
        s->list[s->n++] = (struct suppression){.pattern = mem_strdup(at + 5)};
    }
    free(line);
    fclose(in);
    return ok;
}

void suppressions_free(struct suppressions *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->list[i].pattern);
    free(s->list);
}

/* Does p (up to `*`s) match at the start of text? at_end: a final `$` was there. */
static bool match_here(const char *p, size_t n, const char *text)
{
    while (n && *p != '*') {
        if (*p == '$' && n == 1)
            return !*text;
        if (*p != *text)
            return false;
        p++;
        n--;
        text++;
    }
    if (!n)
        return true;
    while (n && *p == '*') {
        p++;
        n--;
    }
    /* The rest may follow anywhere. */
    do
        if (match_here(p, n, text))
            return true;
    while (*text++);
    return false;
}

static bool matches(const char *pattern, const char *text)
{
    size_t n = strlen(pattern);
    if (*pattern == '^')
        return match_here(pattern + 1, n - 1, text);
    do
        if (match_here(pattern, n, text))
            return true;
    while (*text++);
    return false;
}

static bool matches_location(const char *pattern, const struct profile_location *l)
{
    for (size_t i = 0; i < l->n_lines; i++)
        if (matches(pattern, l->lines[i].function->name) ||
            matches(pattern, l->lines[i].function->system_name) ||
            (*l->lines[i].function->filename && matches(pattern, l->lines[i].function->filename)))
            return true;
    return l->mapping && *l->mapping->file && matches(pattern, l->mapping->file);
}

struct suppression *suppressions_find(struct suppressions *s, const struct profile_sample *sample)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < sample->n_locations; j++)
            if (matches_location(s->list[i].pattern, sample->locations[j]))
                return &s->list[i];
    return NULL;
}
