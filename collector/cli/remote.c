#include "cli/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "profile/profile_io.h"
#include "serve/client.h"

#define FIELDS 11

static bool parse_line(char *line, struct remote_process *out)
{
    char *fields[FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        fields[i] = strsep(&line, "\t");
        if (!fields[i])
            return false;
    }
    out->id = fields[0];
    out->state = fields[1];
    out->start = strtoll(fields[2], NULL, 10);
    out->samples = strtoull(fields[3], NULL, 10);
    out->cpu_ns = strtoull(fields[4], NULL, 10);
    out->heap_inuse = strtoll(fields[5], NULL, 10);
    out->heap_peak = strtoll(fields[6], NULL, 10);
    out->heap_alloc = strtoull(fields[7], NULL, 10);
    out->threads = (unsigned)strtoul(fields[8], NULL, 10);
    out->exe = fields[9];
    out->name = fields[10];
    return true;
}

struct remote_process *remote_list(const char *address, size_t *n, struct error *err)
{
    size_t size, room = 1;
    char *text = client_request(address, "GET", "/ps", &size, NULL, NULL, err), *rest = text;
    if (!text)
        return NULL;
    struct remote_process *list = mem_zero(room, sizeof *list);
    *n = 0;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (!*line)
            continue;
        list = mem_grow(list, *n, &room, sizeof *list);
        list[*n].line = mem_strdup(line);
        if (parse_line(list[*n].line, &list[*n]))
            ++*n;
        else
            free(list[*n].line);
    }
    free(text);
    return list;
}

void remote_free(struct remote_process *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i].line);
    free(list);
}

struct remote_refusal *remote_refusals(const char *address, size_t *n)
{
    struct error err;
    size_t size, room = 1;
    char *text = client_request(address, "GET", "/refused", &size, NULL, NULL, &err), *rest = text;
    struct remote_refusal *list = mem_zero(room, sizeof *list);
    *n = 0;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        list = mem_grow(list, *n, &room, sizeof *list);
        struct remote_refusal *refusal = &list[*n];
        char *at = refusal->line = mem_strdup(line);
        const char *count = strsep(&at, "\t");
        refusal->count = strtoull(count, NULL, 10);
        refusal->pid = strsep(&at, "\t");
        refusal->user = strsep(&at, "\t");
        refusal->program = strsep(&at, "\t");
        refusal->reason = strsep(&at, "\t");
        if (refusal->reason)
            ++*n;
        else
            free(refusal->line);
    }
    free(text);
    return list;
}

void remote_refusals_free(struct remote_refusal *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i].line);
    free(list);
}

const struct remote_process *remote_find(const struct remote_process *list, size_t n,
                                         const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].id, id) == 0)
            return &list[i];
    return NULL;
}

static void show_progress(void *context, unsigned seconds)
{
    const unsigned *total = context;
    if (*total > seconds)
        fprintf(stderr, "\rprof: %u of %u s ", seconds, *total);
    else
        fprintf(stderr, "\rprof: %u s, looking up names ", seconds);
    fflush(stderr);
}

static char *fetch_path(const char *address, const char *path, unsigned seconds, size_t *size,
                        struct error *err)
{
    bool terminal = isatty(STDERR_FILENO);
    char *full = seconds
                     ? mem_printf("%s%cseconds=%u", path, strchr(path, '?') ? '&' : '?', seconds)
                     : mem_strdup(path);
    char *bytes =
        client_request(address, "GET", full, size, terminal ? show_progress : NULL, &seconds, err);
    if (terminal)
        fputs("\r\033[K", stderr);
    free(full);
    return bytes;
}

char *remote_fetch(const char *address, const char *id, const char *name, unsigned seconds,
                   size_t *size, struct error *err)
{
    char *path = mem_printf("/p/%s/debug/pprof/%s", id, name);
    char *bytes = fetch_path(address, path, seconds, size, err);
    free(path);
    return bytes;
}

struct profile *remote_profile_path(const char *address, const char *path, unsigned seconds,
                                    struct error *err)
{
    size_t size;
    char *bytes = fetch_path(address, path, seconds, &size, err);
    struct profile *profile = bytes ? profile_read_memory(bytes, size, err) : NULL;
    free(bytes);
    return profile;
}

struct profile *remote_profile(const char *address, const char *id, const char *name,
                               unsigned seconds, struct error *err)
{
    char *path = mem_printf("/p/%s/debug/pprof/%s", id, name);
    struct profile *profile = remote_profile_path(address, path, seconds, err);
    free(path);
    return profile;
}

unsigned remote_seconds(const struct cli_options *o, unsigned standard)
{
    char *end;
    if (!o->seconds)
        return standard;
    unsigned long seconds = strtoul(o->seconds, &end, 10);
    if (*end || seconds < 1 || seconds > 86400 || *o->seconds == '-') {
        cli_fail(o->seconds, "--seconds takes a number from 1 to 86400");
        return 0;
    }
    return (unsigned)seconds;
}

double remote_bytes(double bytes, char *text, size_t size)
{
    double unit = 1;
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned n = 0;
    for (; (bytes >= 10000 || bytes <= -10000) && n < 4; n++) {
        bytes /= 1024;
        unit *= 1024;
    }
    snprintf(text, size, n ? "%.1f %s" : "%.0f %s", bytes, units[n]);
    return unit;
}
