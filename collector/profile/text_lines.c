#include "profile/text_lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

struct location_entry {
    UT_hash_handle hh;
    uint64_t address;
    struct profile_location *location;
};

void text_open(struct text *t, const char *data, size_t size)
{
    *t = (struct text){.at = data, .end = data + size};
}

void text_close(struct text *t)
{
    HASH_CLEAR(hh, t->locations);
    free(t->addresses);
    free(t->line);
}

bool text_next_line(struct text *t)
{
    if (t->at >= t->end)
        return false;
    const char *nl = memchr(t->at, '\n', (size_t)(t->end - t->at));
    size_t n = (size_t)((nl ? nl : t->end) - t->at);
    if (n + 1 > t->line_cap) {
        t->line_cap = n + 256;
        t->line = mem_resize(t->line, t->line_cap, 1);
    }
    memcpy(t->line, t->at, n);
    while (n && (t->line[n - 1] == '\r' || t->line[n - 1] == ' '))
        n--;
    t->line[n] = '\0';
    t->at = nl ? nl + 1 : t->end;
    t->line_number++;
    return true;
}

const char *text_skip_spaces(const char *s)
{
    return s + strspn(s, " \t");
}

bool text_is_blank(const char *s)
{
    s = text_skip_spaces(s);
    return !*s || *s == '#';
}

bool text_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool text_is_map_start(const char *line)
{
    return strstr(line, "--- Memory map: ---") || strstr(line, "MAPPED_LIBRARIES:");
}

bool text_fail(struct text *t, const char *why)
{
    return fail_with(t->err, "line %lu: %s: %.100s", t->line_number, why, t->line);
}

/* All 0x... numbers in s. */
bool text_parse_addresses(struct text *t, const char *s)
{
    t->n_addresses = 0;
    while ((s = strstr(s, "0x"))) {
        char *end;
        if (strspn(s + 2, "0123456789abcdef") > 16)
            return text_fail(t, "address is too large");
        uint64_t address = strtoull(s, &end, 16);
        t->addresses =
            mem_grow(t->addresses, t->n_addresses, &t->cap_addresses, sizeof(*t->addresses));
        t->addresses[t->n_addresses++] = address;
        s = end > s + 2 ? end : s + 2;
    }
    return true;
}

static struct profile_location *find_location(struct text *t, uint64_t address)
{
    struct location_entry *e;
    HASH_FIND(hh, t->locations, &address, sizeof(address), e);
    if (!e) {
        e = profile_alloc(t->p, sizeof(*e));
        e->address = address;
        e->location = profile_add_location(t->p, NULL, address, 0);
        HASH_ADD(hh, t->locations, address, sizeof(e->address), e);
    }
    return e->location;
}

/* exact_leaf: the first address is no return address. */
struct profile_sample *text_add_sample(struct text *t, size_t n_labels, bool exact_leaf)
{
    struct profile_sample *s = profile_add_sample(t->p, t->n_addresses, n_labels);
    for (size_t i = 0; i < t->n_addresses; i++)
        s->locations[i] = find_location(t, t->addresses[i] - !(exact_leaf && i == 0));
    return s;
}

bool text_parse_int(const char **s, int64_t *value)
{
    char *end;
    *s = text_skip_spaces(*s);
    const char *digits = **s == '-' ? *s + 1 : *s;
    if (*digits < '0' || *digits > '9')
        return false;
    *value = strtoll(*s, &end, 10);
    *s = end;
    return true;
}

bool text_parse_char(const char **s, char c)
{
    *s = text_skip_spaces(*s);
    if (**s != c)
        return false;
    ++*s;
    return true;
}

void text_set_period_type(struct profile *p, const char *type, const char *unit, int64_t period)
{
    p->period_type.type = profile_intern(p, type);
    p->period_type.unit = profile_intern(p, unit);
    p->period = period;
}
