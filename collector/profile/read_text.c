/*
 * Text profiles: what Go's net/http/pprof prints with debug=1, gperftools' heap
 * and contention text, and threadz. Addresses in them are return addresses: one
 * is taken off each (but off threadz's leaf), as the binary form wants it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "profile/profile_ops.h"
#include "profile/read_internal.h"

struct location_entry {
    UT_hash_handle hh;
    uint64_t address;
    struct profile_location *location;
};

struct text {
    struct profile *p;
    const char *at, *end; /* the rest of the input; *end is NUL */
    char *line;           /* the current line without its end, NUL-terminated */
    size_t line_cap;
    unsigned long line_number;
    struct location_entry *locations;
    uint64_t *addresses; /* of the sample being read */
    size_t n_addresses, cap_addresses;
    struct error *err;
};

static bool next_line(struct text *t)
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

static const char *skip_spaces(const char *s)
{
    return s + strspn(s, " \t");
}

static bool is_blank_or_comment(const char *s)
{
    s = skip_spaces(s);
    return !*s || *s == '#';
}

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool is_map_sentinel(const char *line)
{
    return strstr(line, "--- Memory map: ---") || strstr(line, "MAPPED_LIBRARIES:");
}

static bool fail_line(struct text *t, const char *why)
{
    return fail_with(t->err, "line %lu: %s: %.100s", t->line_number, why, t->line);
}

/* All 0x... numbers in s. */
static bool parse_addresses(struct text *t, const char *s)
{
    t->n_addresses = 0;
    while ((s = strstr(s, "0x"))) {
        char *end;
        if (strspn(s + 2, "0123456789abcdef") > 16)
            return fail_line(t, "address is too large");
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
static struct profile_sample *add_sample(struct text *t, size_t n_labels, bool exact_leaf)
{
    struct profile_sample *s = profile_add_sample(t->p, t->n_addresses, n_labels);
    for (size_t i = 0; i < t->n_addresses; i++)
        s->locations[i] = find_location(t, t->addresses[i] - !(exact_leaf && i == 0));
    return s;
}

static bool parse_int(const char **s, int64_t *value)
{
    char *end;
    *s = skip_spaces(*s);
    const char *digits = **s == '-' ? *s + 1 : *s;
    if (*digits < '0' || *digits > '9')
        return false;
    *value = strtoll(*s, &end, 10);
    *s = end;
    return true;
}

static bool parse_char(const char **s, char c)
{
    *s = skip_spaces(*s);
    if (**s != c)
        return false;
    ++*s;
    return true;
}

static void set_period_type(struct profile *p, const char *type, const char *unit, int64_t period)
{
    p->period_type.type = profile_intern(p, type);
    p->period_type.unit = profile_intern(p, unit);
    p->period = period;
}

/* ---- heap: `22: 81008 [59: 117000] @ ...` ---- */

struct heap_numbers {
    int64_t inuse_count, inuse_size, alloc_count, alloc_size;
};

static bool parse_heap_numbers(const char **s, struct heap_numbers *n)
{
    return parse_int(s, &n->inuse_count) && parse_char(s, ':') && parse_int(s, &n->inuse_size) &&
           parse_char(s, '[') && parse_int(s, &n->alloc_count) && parse_char(s, ':') &&
           parse_int(s, &n->alloc_size) && parse_char(s, ']') && parse_char(s, '@');
}

/* What follows the header's @: how values were sampled. */
static bool parse_heap_kind(struct text *t, const char *kind, bool *scaled)
{
    kind = skip_spaces(kind);
    size_t n = strcspn(kind, "/ \t");
    int64_t number = kind[n] == '/' ? strtoll(kind + n + 1, NULL, 10) : 0;
    *scaled = true;
    if (n == 4 && starts_with(kind, "heap")) {
        t->p->period = number / 2;
    } else if ((n == 7 && starts_with(kind, "heap_v2")) ||
               (n == 8 && starts_with(kind, "heapz_v2"))) {
        t->p->period = number;
    } else if (starts_with(kind, "heapprofile") || starts_with(kind, "growth") ||
               starts_with(kind, "fragmentation")) {
        t->p->period = 1;
        *scaled = false;
    } else {
        return fail_line(t, "unrecognized heap profile");
    }
    return true;
}

static bool add_heap_pair(struct text *t, int64_t count, int64_t size, bool scaled,
                          const char *what, int64_t *values, int64_t *block)
{
    if (!count && size)
        return fail_with(t->err, "line %lu: %s count was 0 but %s bytes was %" PRId64,
                         t->line_number, what, what, size);
    if (count) {
        if (count == -1 && size == INT64_MIN)
            return fail_line(t, "value is too large");
        *block = size / count;
        if (scaled)
            profile_scale_heap(&count, &size, t->p->period);
    }
    values[0] = count;
    values[1] = size;
    return true;
}

static bool read_heap_line(struct text *t, bool has_alloc, bool scaled)
{
    struct heap_numbers n;
    const char *s = t->line;
    int64_t block = 0, values[4];
    if (!parse_heap_numbers(&s, &n))
        return fail_line(t, "malformed sample");
    if (has_alloc &&
        !add_heap_pair(t, n.alloc_count, n.alloc_size, scaled, "allocation", values, &block))
        return false;
    if (!add_heap_pair(t, n.inuse_count, n.inuse_size, scaled, "inuse",
                       values + (has_alloc ? 2 : 0), &block) ||
        !parse_addresses(t, s))
        return false;
    struct profile_sample *sample = add_sample(t, block ? 1 : 0, false);
    memcpy(sample->values, values, t->p->n_sample_types * sizeof(*values));
    if (block) {
        sample->labels[0].key = profile_intern(t->p, "bytes");
        sample->labels[0].num = block;
    }
    return true;
}

static bool read_heap(struct text *t)
{
    struct heap_numbers n;
    bool scaled;
    const char *s = strstr(t->line, "heap profile:") + strlen("heap profile:");
    set_period_type(t->p, "space", "bytes", 0);
    if (!parse_heap_numbers(&s, &n) || !parse_heap_kind(t, s, &scaled))
        return fail_line(t, "unrecognized heap profile header");
    /* Four columns only if the header tells the totals apart: Go's rule. */
    bool has_alloc = (n.alloc_count != n.inuse_count && n.alloc_count) ||
                     (n.alloc_size != n.inuse_size && n.alloc_size);
    /* Allocations first, so that in use, the last type, is the default. */
    if (has_alloc) {
        profile_add_sample_type(t->p, "alloc_objects", "count");
        profile_add_sample_type(t->p, "alloc_space", "bytes");
    }
    profile_add_sample_type(t->p, has_alloc ? "inuse_objects" : "objects", "count");
    profile_add_sample_type(t->p, has_alloc ? "inuse_space" : "space", "bytes");
    while (next_line(t) && !is_map_sentinel(t->line))
        if (!is_blank_or_comment(t->line) && !read_heap_line(t, has_alloc, scaled))
            return false;
    return true;
}

/* ---- count: `threads profile: total 3`, `2 @ 0x1 0x2` ---- */

static bool read_count(struct text *t)
{
    char *name = t->line;
    *strchr(name, ' ') = '\0';
    profile_add_sample_type(t->p, name, "count");
    set_period_type(t->p, name, "count", 1);
    while (next_line(t) && !starts_with(t->line, "---") && !is_map_sentinel(t->line)) {
        int64_t count;
        const char *s = t->line;
        if (is_blank_or_comment(s))
            continue;
        if (!parse_int(&s, &count) || !parse_char(&s, '@') || !parse_addresses(t, s))
            return fail_line(t, "malformed profile format");
        add_sample(t, 0, false)->values[0] = count;
    }
    return true;
}

/* ---- contention and mutex: `319736823 59 @ 0x1 0x2` ---- */

/* One `key = value` line of the header; false on an unknown key. */
static bool contention_setting(struct text *t, char *line, int64_t *hz)
{
    char *value = strchr(line, '=');
    size_t n = strcspn(line, "=");
    while (n && line[n - 1] == ' ')
        n--;
    int64_t number = strtoll(value + 1, NULL, 10);
    if (n == 13 && starts_with(line, "cycles/second"))
        *hz = number;
    else if (n == 15 && starts_with(line, "sampling period"))
        t->p->period = number;
    else if (n == 14 && starts_with(line, "ms since reset")) {
        if (__builtin_mul_overflow(number, 1000000, &t->p->duration_nanos))
            return fail_line(t, "value is too large");
    } else if (!(n == 17 && starts_with(line, "discarded samples")))
        return fail_line(t, "unrecognized contention profile setting");
    return true;
}

static bool read_contention(struct text *t)
{
    int64_t hz = 0, delay, count;
    bool in_header = true;
    profile_add_sample_type(t->p, "contentions", "count");
    profile_add_sample_type(t->p, "delay", "nanoseconds");
    set_period_type(t->p, "contentions", "count", 1);
    while (next_line(t) && !starts_with(t->line, "---") && !is_map_sentinel(t->line)) {
        const char *s = t->line;
        if (is_blank_or_comment(s))
            continue;
        if (in_header && strchr(s, '=')) {
            if (!contention_setting(t, t->line + (skip_spaces(s) - s), &hz))
                return false;
            continue;
        }
        in_header = false;
        if (!parse_int(&s, &delay) || !parse_int(&s, &count) || !parse_char(&s, '@') ||
            !parse_addresses(t, s))
            return fail_line(t, "malformed sample");
        if (t->p->period > 0) {
            double nanoseconds =
                hz > 0 ? (double)delay * (double)t->p->period / ((double)hz / 1e9) : 0;
            /* cppcheck-suppress incorrectLogicOperator ; it can't read 0x1p63 */
            if (nanoseconds >= 0x1p63 || nanoseconds < -0x1p63 ||
                __builtin_mul_overflow(count, t->p->period, &count))
                return fail_line(t, "value is too large");
            if (hz > 0)
                delay = (int64_t)nanoseconds;
        }
        struct profile_sample *sample = add_sample(t, 0, false);
        sample->values[0] = count;
        sample->values[1] = delay;
    }
    return true;
}

/* ---- threadz: `--- Thread 7f.. (name: main/12) stack: ---` ---- */

static bool is_thread_start(const char *line)
{
    return starts_with(line, "--- Thread ") && strstr(line, "(name: ") &&
           strstr(line, "stack: ---");
}

/* Reads addresses up to the next line that starts with ---; *more: there is one. */
static bool read_thread_stack(struct text *t, uint64_t **stack, size_t *n, bool *same, bool *more)
{
    size_t cap = 0;
    *n = 0;
    *stack = NULL;
    *same = *more = false;
    while (next_line(t)) {
        if (starts_with(skip_spaces(t->line), "---")) {
            *more = true;
            return true;
        }
        if (strstr(t->line, "same as previous thread")) {
            *same = true;
            continue;
        }
        if (!parse_addresses(t, t->line))
            return false;
        for (size_t i = 0; i < t->n_addresses; i++) {
            *stack = mem_grow(*stack, *n, &cap, sizeof(**stack));
            (*stack)[(*n)++] = t->addresses[i];
        }
    }
    return true;
}

static bool read_threadz(struct text *t)
{
    bool more = true, ok = true;
    profile_add_sample_type(t->p, "thread", "count");
    set_period_type(t->p, "thread", "count", 1);
    if (starts_with(t->line, "--- threadz "))
        while ((more = next_line(t)) && *t->line != '-' && !is_map_sentinel(t->line))
            ;
    while (ok && more && !is_map_sentinel(t->line) &&
           !starts_with(t->line, "---- no stack trace for")) {
        uint64_t *stack;
        size_t n;
        bool same;
        if (!is_thread_start(t->line))
            return fail_line(t, "unrecognized thread profile");
        ok = read_thread_stack(t, &stack, &n, &same, &more);
        if (ok && (same || !n)) {
            if (t->p->n_samples)
                t->p->samples[t->p->n_samples - 1]->values[0]++;
        } else if (ok) {
            /* A handler may give the leaf twice: from the context and the walk. */
            if (n > 1 && stack[0] == stack[1])
                memmove(stack + 1, stack + 2, (--n - 1) * sizeof(*stack));
            t->n_addresses = 0;
            for (size_t i = 0; i < n; i++) {
                t->addresses = mem_grow(t->addresses, t->n_addresses, &t->cap_addresses,
                                        sizeof(*t->addresses));
                t->addresses[t->n_addresses++] = stack[i];
            }
            add_sample(t, 0, true)->values[0] = 1;
        }
        free(stack);
    }
    return ok;
}

/* ---- Which one ---- */

typedef bool reader_fn(struct text *);

/* `NAME profile: total N`, NAME without blanks. */
static bool is_count_header(const char *line)
{
    size_t n = strcspn(line, " \t");
    const char *rest = line + n;
    static const char total[] = " profile: total ";
    if (!n || !starts_with(rest, total))
        return false;
    rest += sizeof(total) - 1;
    return *rest && rest[strspn(rest, "0123456789")] == '\0';
}

static reader_fn *find_reader(const char *line)
{
    if (strstr(line, "heap profile:"))
        return read_heap;
    if (starts_with(line, "--- contentionz ") || starts_with(line, "--- contention:") ||
        starts_with(line, "--- mutex:"))
        return read_contention;
    if (starts_with(line, "--- threadz ") || is_thread_start(line))
        return read_threadz;
    return is_count_header(line) ? read_count : NULL;
}

/* The first line that is not blank or a comment. */
static bool header_line(struct text *t)
{
    while (next_line(t))
        if (!is_blank_or_comment(t->line))
            return true;
    return false;
}

bool read_text_sniff(const unsigned char *data, size_t size)
{
    /* Headers are short: a look at the beginning is enough, and cheap for binaries. */
    size_t n = size < 4096 ? size : 4096;
    if (memchr(data, '\0', n))
        return false;
    struct text t = {.at = (const char *)data, .end = (const char *)data + n};
    bool found = header_line(&t) && find_reader(t.line);
    free(t.line);
    return found;
}

struct profile *read_text(const char *data, size_t size, struct error *err)
{
    struct text t = {.p = profile_new(), .at = data, .end = data + size, .err = err};
    t.line_cap = 256;
    t.line = mem_zero(t.line_cap, 1);
    /* The sniffer saw the beginning only: what follows may be of no form at all. */
    reader_fn *reader = header_line(&t) ? find_reader(t.line) : NULL;
    bool ok = reader ? reader(&t) : fail_with(err, "unrecognized text profile header");
    /* Before the profile: the entries lie in its memory. */
    HASH_CLEAR(hh, t.locations);
    if (ok) {
        while (!is_map_sentinel(t.line) && next_line(&t))
            ;
        read_maps(t.p, t.at, t.end);
        read_text_set_drop_frames(t.p);
    } else {
        profile_free(t.p);
        t.p = NULL;
    }
    free(t.addresses);
    free(t.line);
    return t.p;
}
