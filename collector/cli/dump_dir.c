#include "cli/dump_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/runs.h"

/* Named in a notice; the rest is counted. */
#define PROGRAMS_TOLD 6

struct dump {
    char *path, *process; /* "EXE.PID" */
    char kind[32];
    unsigned long seq;
    unsigned run; /* of prof run (cli/runs.h); 0 = of none */
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

/* Of EXE in EXE.PID. */
static size_t name_length(const struct dump *d)
{
    const char *dot = strrchr(d->process, '.');
    return dot ? (size_t)(dot - d->process) : strlen(d->process);
}

/* Is it the one that was asked for? By name or name.pid; *, ? and [] are special. */
static bool is_program(const struct dump *d, const char *program)
{
    if (!program || fnmatch(program, d->process, 0) == 0)
        return true;
    char *name = mem_printf("%.*s", (int)name_length(d), d->process);
    bool same = fnmatch(program, name, 0) == 0;
    free(name);
    return same;
}

/* What to show of a directory when nobody said. */
static const char *choose_kind(const struct dump *dumps, size_t n, const char *program)
{
    static const char *const wanted[] = {"heap", "cpu", "profile", "allocs", "block", "mutex"};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
        for (size_t j = 0; j < n; j++)
            if (strcmp(dumps[j].kind, wanted[i]) == 0 && is_program(&dumps[j], program))
                return wanted[i];
    for (size_t j = 0; j < n; j++)
        if (is_program(&dumps[j], program))
            return dumps[j].kind;
    return wanted[0];
}

/* The run that wrote the file. */
static unsigned run_of(const struct runs *runs, const char *path, const char *name)
{
    struct stat info;
    char *dump = mem_strdup(name); /* EXE.PID.SEQ.PROFILE.pb.gz */
    for (int dots = 0; dots < 3; dots++)
        *strrchr(dump, '.') = '\0';
    int64_t when = stat(path, &info) == 0
                       ? info.st_mtim.tv_sec * INT64_C(1000000000) + info.st_mtim.tv_nsec
                       : 0;
    unsigned run = runs_owner(runs, dump, when);
    free(dump);
    return run;
}

static struct dump *read_names(const char *dir, const struct runs *runs, size_t *n,
                               struct error *err)
{
    struct dump *dumps = mem_zero(1, sizeof(*dumps));
    size_t cap = 1;
    struct dirent *e;
    DIR *d = opendir(dir);
    *n = 0;
    if (!d) {
        fail_with(err, "%s", strerror(errno));
        free(dumps);
        return NULL;
    }
    while ((e = readdir(d))) {
        struct dump dump;
        if (!parse_name(e->d_name, &dump))
            continue;
        dump.path = mem_printf("%s/%s", dir, e->d_name);
        dump.run = runs->n ? run_of(runs, dump.path, e->d_name) : 0;
        dumps = mem_grow(dumps, *n, &cap, sizeof(*dumps));
        dumps[(*n)++] = dump;
    }
    closedir(d);
    return dumps;
}

/* Each kind once, separated by commas; `not` is left out. malloc'ed. */
static char *join_kinds(const struct dump *dumps, size_t n, const char * not )
{
    char *text = mem_strdup("");
    for (size_t i = 0; i < n; i++) {
        if (strcmp(dumps[i].kind, not ) == 0 ||
            (i && strcmp(dumps[i].kind, dumps[i - 1].kind) == 0))
            continue;
        char *longer = mem_printf("%s%s%s", text, *text ? ", " : "", dumps[i].kind);
        free(text);
        text = longer;
    }
    return text;
}

/* `cc1 (57 processes), ld (pid 812), ...` of dumps sorted by process. malloc'ed. */
static char *join_programs(const struct dump *const *chosen, size_t n)
{
    char *text = mem_strdup("");
    size_t programs = 0;
    for (size_t i = 0, end; i < n; i = end) {
        size_t length = name_length(chosen[i]);
        for (end = i + 1; end < n && name_length(chosen[end]) == length &&
                          memcmp(chosen[end]->process, chosen[i]->process, length) == 0;)
            end++;
        if (++programs > PROGRAMS_TOLD)
            continue;
        char *of = end - i > 1 ? mem_printf("%zu processes", end - i)
                               : mem_printf("pid %s", chosen[i]->process + length + 1);
        char *longer = mem_printf("%s%s%.*s (%s)", text, *text ? ", " : "", (int)length,
                                  chosen[i]->process, of);
        free(of);
        free(text);
        text = longer;
    }
    if (programs > PROGRAMS_TOLD) {
        char *longer = mem_printf("%s and %zu more programs", text, programs - PROGRAMS_TOLD);
        free(text);
        text = longer;
    }
    return text;
}

static char *tell_chosen(const char *dir, const char *kind, const struct dump *const *chosen,
                         size_t n, const char *others, bool by_program)
{
    char *also = *others ? mem_printf("; -profile shows %s", others) : mem_strdup("");
    char *programs = join_programs(chosen, n);
    char *text = n == 1 ? mem_printf("%s%s", chosen[0]->path, also)
                        : mem_printf("%s: %zu %s profiles added up: %s%s%s", dir, n, kind, programs,
                                     by_program ? "" : "; -program picks", also);
    free(programs);
    free(also);
    return text;
}

static void fail_empty(struct error *err, const struct dump *dumps, size_t n, const char *kind,
                       const char *program)
{
    const struct dump **all = mem_zero(n, sizeof(*all));
    size_t processes = 0;
    const char *any = choose_kind(dumps, n, NULL);
    for (size_t i = 0; i < n; i++)
        if (strcmp(dumps[i].kind, any) == 0 &&
            (!processes || strcmp(all[processes - 1]->process, dumps[i].process) != 0))
            all[processes++] = &dumps[i];
    char *kinds = join_kinds(dumps, n, ""), *programs = join_programs(all, processes);
    if (!n)
        fail_with(err, "no dumps (EXE.PID.SEQ.PROFILE.pb.gz) in this directory");
    else if (program)
        fail_with(err, "no dump of kind '%s' of a program '%s' in this directory: there are %s",
                  kind, program, programs);
    else
        fail_with(err, "no dump of kind '%s' in this directory: there are %s", kind, kinds);
    free(programs);
    free(kinds);
    free(all);
}

static void free_dumps(struct dump *dumps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(dumps[i].path);
        free(dumps[i].process);
    }
    free(dumps);
}

/* Forgets what other runs wrote. */
static size_t keep_run(struct dump *dumps, size_t n, unsigned run)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (run == UINT_MAX || dumps[i].run == run) {
            dumps[kept++] = dumps[i];
            continue;
        }
        free(dumps[i].path);
        free(dumps[i].process);
    }
    return kept;
}

/* All files of the run that is asked for. *told: a word on which run that is. */
static struct dump *read_run(const char *dir, const char *which, size_t *n, char **told,
                             struct error *err)
{
    struct runs runs;
    runs_read(dir, &runs);
    unsigned run = which || runs.n ? runs_choose(&runs, which, err) : UINT_MAX;
    struct dump *dumps = run ? read_names(dir, &runs, n, err) : NULL;
    if (dumps)
        *n = keep_run(dumps, *n, run);
    *told = runs.n > 1 && run != UINT_MAX
                ? mem_printf("; run %u of %u, --run picks", run, runs.list[runs.n - 1].number)
                : mem_strdup("");
    runs_free(&runs);
    return dumps;
}

bool dump_dir_list(const char *dir, const struct dump_pick *pick, struct dump_list *out,
                   struct error *err)
{
    size_t n;
    const char *kind = pick->kind, *program = pick->program;
    char *run_told;
    struct dump *dumps = read_run(dir, pick->run, &n, &run_told, err);
    *out = (struct dump_list){0};
    if (!dumps) {
        free(run_told);
        return false;
    }
    qsort(dumps, n, sizeof(*dumps), compare_dumps);
    char wanted[32];
    snprintf(wanted, sizeof(wanted), "%s", kind ? kind : choose_kind(dumps, n, program));
    const struct dump **chosen = mem_zero(n, sizeof(*chosen));
    for (size_t i = 0; i < n; i++)
        if (strcmp(dumps[i].kind, wanted) == 0 && is_program(&dumps[i], program) &&
            !(out->n && strcmp(chosen[out->n - 1]->process, dumps[i].process) == 0))
            chosen[out->n++] = &dumps[i];
    out->paths = mem_zero(out->n, sizeof(*out->paths));
    for (size_t i = 0; i < out->n; i++)
        out->paths[i] = mem_strdup(chosen[i]->path);
    if (out->n) {
        char *others = kind ? mem_strdup("") : join_kinds(dumps, n, wanted);
        char *told = tell_chosen(dir, wanted, chosen, out->n, others, program != NULL);
        out->told = mem_printf("%s%s", told, run_told);
        free(told);
        free(others);
    } else {
        fail_empty(err, dumps, n, wanted, program);
    }
    free_dumps(dumps, n);
    free(chosen);
    free(run_told);
    return out->n > 0;
}

void dump_list_free(struct dump_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->paths[i]);
    free(l->paths);
    free(l->told);
}
