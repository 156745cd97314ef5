#include "cli/dump_dir.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile/mem.h"

struct dump {
    char *path, *process; /* "EXE.PID" */
    char kind[32];
    unsigned long seq;
};

/* EXE may hold dots: the name is taken apart from its end. */
static bool parse_name(const char *name, struct dump *d)
{
    static const char suffix[] = ".pb.gz";
    size_t n = strlen(name), k = sizeof(suffix) - 1;
    if (n <= k || strcmp(name + n - k, suffix) != 0)
        return false;
    char *copy = mem_strdup(name), *kind, *seq = NULL;
    copy[n - k] = '\0';
    kind = strrchr(copy, '.');
    if (kind) {
        *kind++ = '\0';
        seq = strrchr(copy, '.');
    }
    if (!seq || strlen(kind) >= sizeof(d->kind) || !seq[1] ||
        strspn(seq + 1, "0123456789") != strlen(seq + 1)) {
        free(copy);
        return false;
    }
    *seq = '\0';
    strcpy(d->kind, kind);
    d->seq = strtoul(seq + 1, NULL, 10);
    d->process = copy;
    return true;
}

static int compare_dumps(const void *a, const void *b)
{
    const struct dump *x = a, *y = b;
    int c = strcmp(x->kind, y->kind);
    c = c ? c : strcmp(x->process, y->process);
    return c ? c : (x->seq < y->seq) - (x->seq > y->seq);
}

/* What to show of a directory when nobody said. */
static const char *choose_kind(const struct dump *dumps, size_t n)
{
    static const char *const wanted[] = {"heap", "cpu", "profile", "allocs", "block", "mutex"};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
        for (size_t j = 0; j < n; j++)
            if (strcmp(dumps[j].kind, wanted[i]) == 0)
                return wanted[i];
    return n ? dumps[0].kind : "";
}

static struct dump *read_names(const char *dir, size_t *n, struct profile_error *err)
{
    struct dump *dumps = mem_zero(1, sizeof(*dumps));
    size_t cap = 1;
    struct dirent *e;
    DIR *d = opendir(dir);
    *n = 0;
    if (!d) {
        profile_fail(err, "%s", strerror(errno));
        free(dumps);
        return NULL;
    }
    while ((e = readdir(d))) {
        struct dump dump;
        if (!parse_name(e->d_name, &dump))
            continue;
        dump.path = mem_printf("%s/%s", dir, e->d_name);
        dumps = mem_grow(dumps, *n, &cap, sizeof(*dumps));
        dumps[(*n)++] = dump;
    }
    closedir(d);
    return dumps;
}

bool dump_dir_list(const char *dir, const char *kind, struct dump_list *out,
                   struct profile_error *err)
{
    size_t n;
    struct dump *dumps = read_names(dir, &n, err);
    *out = (struct dump_list){0};
    if (!dumps)
        return false;
    qsort(dumps, n, sizeof(*dumps), compare_dumps);
    char wanted[32];
    snprintf(wanted, sizeof(wanted), "%s", kind ? kind : choose_kind(dumps, n));
    out->paths = mem_zero(n, sizeof(*out->paths));
    const char *last = "";
    for (size_t i = 0; i < n; i++)
        if (strcmp(dumps[i].kind, wanted) == 0 && strcmp(dumps[i].process, last) != 0) {
            out->paths[out->n++] = mem_strdup(dumps[i].path);
            last = dumps[i].process;
        }
    if (!out->n)
        profile_fail(err,
                     kind ? "no dump of kind '%s' in this directory"
                          : "no dumps (EXE.PID.SEQ.PROFILE.pb.gz) in this directory",
                     kind);
    for (size_t i = 0; i < n; i++) {
        free(dumps[i].path);
        free(dumps[i].process);
    }
    free(dumps);
    return out->n > 0;
}

void dump_list_free(struct dump_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->paths[i]);
    free(l->paths);
}
