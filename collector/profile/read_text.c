/*
 * Text profiles: what Go's net/http/pprof prints with debug=1, gperftools' heap
 * and contention text, and threadz.
 */
#include <string.h>

#include "profile/read_internal.h"
#include "profile/read_text_forms.h"

/* ---- count: `threads profile: total 3`, `2 @ 0x1 0x2` ---- */

static bool read_count(struct text *t)
{
    char *name = t->line;
    *strchr(name, ' ') = '\0';
    profile_add_sample_type(t->p, name, "count");
    text_set_period_type(t->p, name, "count", 1);
    while (text_next_line(t) && !text_starts_with(t->line, "---") && !text_is_map_start(t->line)) {
        int64_t count;
        const char *s = t->line;
        if (text_is_blank(s))
            continue;
        if (!text_parse_int(&s, &count) || !text_parse_char(&s, '@') || !text_parse_addresses(t, s))
            return text_fail(t, "malformed profile format");
        text_add_sample(t, 0, false)->values[0] = count;
    }
    return true;
}

typedef bool reader_fn(struct text *);

/* `NAME profile: total N`, NAME without blanks. */
static bool is_count_header(const char *line)
{
    size_t n = strcspn(line, " \t");
    const char *rest = line + n;
    static const char total[] = " profile: total ";
    if (!n || !text_starts_with(rest, total))
        return false;
    rest += sizeof(total) - 1;
    return *rest && rest[strspn(rest, "0123456789")] == '\0';
}

static reader_fn *find_reader(const char *line)
{
    if (strstr(line, "heap profile:"))
        return text_read_heap;
    if (text_starts_with(line, "--- contentionz ") || text_starts_with(line, "--- contention:") ||
        text_starts_with(line, "--- mutex:"))
        return text_read_contention;
    if (text_starts_with(line, "--- threadz ") || text_is_thread_start(line))
        return text_read_threadz;
    return is_count_header(line) ? read_count : NULL;
}

/* The first line that is not blank or a comment. */
static bool header_line(struct text *t)
{
    while (text_next_line(t))
        if (!text_is_blank(t->line))
            return true;
    return false;
}

bool read_text_sniff(const unsigned char *data, size_t size)
{
    /* Headers are short: a look at the beginning is enough, and cheap for binaries. */
    size_t n = size < 4096 ? size : 4096;
    if (memchr(data, '\0', n))
        return false;
    struct text t;
    text_open(&t, (const char *)data, n);
    bool found = header_line(&t) && find_reader(t.line);
    text_close(&t);
    return found;
}

struct profile *read_text(const char *data, size_t size, struct error *err)
{
    struct text t;
    text_open(&t, data, size);
    t.p = profile_new();
    t.err = err;
    /* The sniffer saw the beginning only: what follows may be of no form at all. */
    reader_fn *reader = header_line(&t) ? find_reader(t.line) : NULL;
    bool ok = reader ? reader(&t) : fail_with(err, "unrecognized text profile header");
    if (ok) {
        while (!text_is_map_start(t.line) && text_next_line(&t))
            ;
        read_maps(t.p, t.at, t.end);
        read_text_set_drop_frames(t.p);
    }
    text_close(&t);
    if (!ok)
        profile_free(t.p);
    return ok ? t.p : NULL;
}
