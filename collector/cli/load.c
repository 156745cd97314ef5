/* From the command line's file names to one profile with names. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/dump_dir.h"
#include "cli/remote.h"
#include "profile/profile_io.h"
#include "symbolize/symbolize.h"

#define HTTP "http://"

struct profile_list {
    struct profile **list;
    size_t n, cap;
};

static bool keep(struct profile_list *l, struct profile *p, const char *name,
                 const struct error *err)
{
    if (!p) {
        cli_fail(name, err->text);
        return false;
    }
    l->list = mem_grow(l->list, l->n, &l->cap, sizeof(*l->list));
    l->list[l->n++] = p;
    return true;
}

static bool read_into(struct profile_list *l, const char *path)
{
    struct error err;
    struct profile *p = profile_read_file(path, &err);
    return keep(l, p, path, &err);
}

/* http://HOST:PORT/PATH, as prof serve and Go's net/http/pprof answer it. */
static bool read_url(struct profile_list *l, const char *url, const struct cli_options *o)
{
    struct error err;
    const char *rest = url + strlen(HTTP);
    size_t n = strcspn(rest, "/");
    unsigned seconds = remote_seconds(o, 0);
    if (o->seconds && !seconds)
        return false;
    char *address = mem_printf("%.*s%s", (int)n, rest, memchr(rest, ':', n) ? "" : ":80");
    struct profile *p = remote_profile_path(address, rest[n] ? rest + n : "/", seconds, &err);
    free(address);
    return keep(l, p, url, &err);
}

/* PID, or PID.N after an exec, of a process that a collector knows. */
static bool read_process(struct profile_list *l, const char *id, const struct cli_options *o)
{
    struct error err;
    const char *kind = o->profile_kind ? o->profile_kind : "heap";
    bool cpu = strcmp(kind, "cpu") == 0;
    unsigned seconds = remote_seconds(o, 0);
    if (o->seconds && !seconds)
        return false;
    struct profile *p = remote_profile(o->http, id, cpu ? "profile" : kind, seconds, &err);
    return keep(l, p, id, &err);
}

/* A file, the newest dumps in a directory, or a live process. */
static bool read_argument(struct profile_list *l, const char *path, struct cli_options *o)
{
    struct stat st;
    if (strncmp(path, HTTP, strlen(HTTP)) == 0)
        return read_url(l, path, o);
    if (strcmp(path, "-") == 0)
        return read_into(l, path);
    if (stat(path, &st) < 0)
        return strspn(path, "0123456789.@") == strlen(path) && *path ? read_process(l, path, o)
                                                                     : read_into(l, path);
    if (!S_ISDIR(st.st_mode))
        return read_into(l, path);
    struct dump_pick pick = {o->profile_kind, o->program, o->which_run};
    struct dump_list dumps;
    struct error err;
    if (!dump_dir_list(path, &pick, &dumps, &err)) {
        cli_fail(path, err.text);
        return false;
    }
    cli_notice(o, dumps.told);
    bool ok = true;
    for (size_t i = 0; ok && i < dumps.n; i++)
        ok = read_into(l, dumps.paths[i]);
    dump_list_free(&dumps);
    return ok;
}

static void free_list(struct profile_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        profile_free(l->list[i]);
    free(l->list);
}

/* All of the named files added up; NULL: told. */
static struct profile *read_merged(char *const *paths, int n, struct cli_options *o)
{
    struct profile_list l = {0};
    struct profile *merged = NULL;
    struct error err;
    bool ok = true;
    for (int i = 0; ok && i < n; i++)
        ok = read_argument(&l, paths[i], o);
    if (ok) {
        merged = profile_merge(l.list, l.n, &err);
        if (!merged)
            cli_fail(n > 1 ? paths[n - 1] : paths[0], err.text);
    }
    free_list(&l);
    return merged;
}

/* p becomes p - base. False: told. */
static bool subtract_base(struct cli_options *o, struct profile **p)
{
    struct error err;
    bool diff = o->diff_base != NULL;
    char *path = (char *)(uintptr_t)(diff ? o->diff_base : o->base);
    struct cli_options of_base = *o;
    if (o->base_run)
        of_base.which_run = o->base_run;
    struct profile *base = path ? read_merged(&path, 1, &of_base) : NULL;
    if (!path)
        return true;
    if (!base)
        return false;
    if (o->normalize && !profile_normalize(*p, base, &err)) {
        profile_free(base);
        cli_fail(path, err.text);
        return false;
    }
    struct profile *difference = profile_subtract(*p, base, diff, &err);
    profile_free(base);
    if (!difference) {
        cli_fail(path, err.text);
        return false;
    }
    profile_free(*p);
    *p = difference;
    return true;
}

static void symbolize(struct cli_options *o, struct profile *p, uint64_t **entries)
{
    struct symbolize_options s = {
        .style = o->mangled ? DEMANGLE_NONE
                 : o->full  ? DEMANGLE_FULL
                            : DEMANGLE_SHORT,
        .force = o->force,
        .no_cache = o->no_cache,
        .progress = !o->quiet,
        .pid = o->pid ? strtol(o->pid, NULL, 10) : 0,
        .entries = entries,
        .missing = cli_notice,
        .arg = o,
    };
    if (!o->no_symbols)
        symbolize_profile(p, &s);
    else if (entries)
        *entries = NULL;
}

/* Names that somebody else put in: shown in the style that is asked for. */
static void restyle_names(struct cli_options *o, struct profile *p)
{
    for (size_t i = 0; i < p->n_functions; i++) {
        struct profile_function *f = p->functions[i];
        bool raw = f->name == f->system_name || !*f->name;
        if (!*f->system_name || (!raw && !o->full && !o->mangled))
            continue;
        char *name = demangle_name(f->system_name, o->mangled ? DEMANGLE_NONE
                                                   : o->full  ? DEMANGLE_FULL
                                                              : DEMANGLE_SHORT);
        f->name = profile_intern(p, name);
        free(name);
    }
}

struct profile *cli_load(struct cli_options *o, int first, uint64_t **entries)
{
    struct error err;
    if (first >= o->n_arguments) {
        fprintf(stderr, "prof: no profile named: give a file, a directory, a URL, the PID of a "
                        "process of prof serve, or - for standard input\n");
        return NULL;
    }
    struct profile *p = read_merged(o->arguments + first, o->n_arguments - first, o);
    if (!p)
        return NULL;
    if (!subtract_base(o, &p)) {
        profile_free(p);
        return NULL;
    }
    if (o->as_is)
        return p;
    symbolize(o, p, entries);
    restyle_names(o, p);
    if (!profile_prune(p, &err))
        cli_notice(o, err.text); /* pprof shows such profiles as they are, too */
    return p;
}

FILE *cli_open_output(struct cli_options *o)
{
    if (!o->output || strcmp(o->output, "-") == 0)
        return stdout;
    char *temp = mem_printf("%s.part", o->output);
    FILE *out = fopen(temp, "we");
    if (!out)
        perror(temp);
    free(temp);
    return out;
}

int cli_close_output(struct cli_options *o, FILE *out, bool ok)
{
    if (out == stdout)
        return ok ? 0 : 1;
    char *temp = mem_printf("%s.part", o->output);
    bool written = !ferror(out);
    written = fclose(out) == 0 && written;
    if (ok && written && rename(temp, o->output) == 0) {
        free(temp);
        return 0;
    }
    unlink(temp);
    free(temp);
    return ok ? cli_fail(o->output, "cannot be written") : 1;
}
