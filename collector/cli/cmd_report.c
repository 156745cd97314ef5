/* prof report: a run at a glance. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/dump_dir.h"
#include "profile/profile_io.h"
#include "report/overview.h"
#include "symbolize/symbolize.h"

#define DEFAULT_DIR "libprof.out"
#define STACKS 5

/* What is shown of each kind of profile, in this order. */
static const struct {
    const char *kind, *type, *heading;
} parts[] = {
    {"cpu", "cpu", "CPU time"},
    {"heap", "alloc_space", "Allocated, over the whole life"},
    {"heap", "inuse_space", "In use at the end"},
    {"heappeak", "inuse_space", "In use when the heap was largest"},
    {"block", "delay", "Waiting for locks, by who waited"},
    {"mutex", "delay", "Waiting for locks, by who made others wait"},
};
#define PARTS (sizeof parts / sizeof *parts)

/* "app.4242" of "dir/app.4242.0001.cpu.pb.gz": malloc'ed. */
static char *process_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = mem_strdup(slash ? slash + 1 : path);
    for (int dots = 0; dots < 4; dots++) { /* .gz, .pb, the kind, the sequence */
        char *dot = strrchr(name, '.');
        if (dot)
            *dot = '\0';
    }
    return name;
}

/* All profiles of a kind, added up; each is noted in the overview. NULL: there is none, or it
 * cannot be read, which is told. */
static struct profile *read_kind(struct cli_options *o, const char *dir, const char *kind,
                                 struct overview *overview)
{
    struct dump_pick pick = {kind, o->program, o->which_run};
    struct dump_list dumps;
    struct error err;
    if (!dump_dir_list(dir, &pick, &dumps, &err))
        return NULL;
    struct profile **list = mem_zero(dumps.n + 1, sizeof *list), *merged = NULL;
    size_t n = 0;
    for (size_t i = 0; i < dumps.n; i++) {
        list[n] = profile_read_file(dumps.paths[i], &err);
        if (!list[n]) {
            cli_fail(dumps.paths[i], err.text);
            continue;
        }
        char *process = process_of(dumps.paths[i]);
        overview_add(overview, process, kind, list[n++]);
        free(process);
    }
    if (n && !(merged = profile_merge(list, n, &err)))
        cli_fail(dir, err.text);
    for (size_t i = 0; i < n; i++)
        profile_free(list[i]);
    free(list);
    dump_list_free(&dumps);
    return merged;
}

/* Stacks of the same functions become one, whatever their lines, sizes and threads. */
static struct profile *fold(struct profile *p)
{
    struct error err;
    for (size_t n = 0; n < p->n_samples; n++)
        p->samples[n]->n_labels = 0;
    profile_aggregate(p, PROFILE_FUNCTIONS, false);
    struct profile *folded = profile_merge(&p, 1, &err);
    if (folded)
        profile_free(p);
    return folded ? folded : p;
}

static int run_report(struct cli_options *o)
{
    const char *dir = o->n_arguments ? o->arguments[0] : DEFAULT_DIR;
    struct profile *profiles[PARTS] = {0};
    struct overview *overview = overview_new();
    struct error err;
    size_t found = 0;
    if (o->n_arguments > 1) {
        fprintf(stderr, "prof report: give one directory\n");
        return 2;
    }
    struct symbolize_options names = {
        .style = o->full ? DEMANGLE_FULL : DEMANGLE_SHORT,
        .no_cache = o->no_cache,
        .progress = !o->quiet,
        .missing = cli_notice,
        .arg = o,
    };
    for (size_t n = 0; n < PARTS; n++) {
        if (n && strcmp(parts[n].kind, parts[n - 1].kind) == 0)
            continue;
        profiles[n] = read_kind(o, dir, parts[n].kind, overview);
        found += profiles[n] != NULL;
        if (!profiles[n])
            continue;
        if (!o->no_symbols)
            symbolize_profile(profiles[n], &names);
        names.missing = NULL; /* the other kinds' stacks are in much the same files */
        if (profile_prune(profiles[n], &err))
            profiles[n] = fold(profiles[n]);
    }
    if (!found) {
        struct dump_pick any = {NULL, o->program, o->which_run};
        struct dump_list none;
        overview_free(overview);
        dump_dir_list(dir, &any, &none, &err);
        return cli_fail(dir, err.text);
    }
    overview_print_programs(overview, stdout);
    const struct profile *last = NULL;
    for (size_t n = 0; n < PARTS; n++) {
        last = profiles[n] || (n && strcmp(parts[n].kind, parts[n - 1].kind) != 0) ? profiles[n]
                                                                                   : last;
        if (last)
            overview_print_stacks(last, parts[n].type, parts[n].heading, STACKS, stdout);
    }
    overview_print_losses(overview, stdout);
    for (size_t n = 0; n < PARTS; n++)
        profile_free(profiles[n]);
    overview_free(overview);
    return 0;
}

const struct command cmd_report = {
    .name = "report",
    .usage = "[OPTIONS] [DIR]",
    .summary = "a run at a glance: programs, and the heaviest stacks of every kind",
    .help = "Of the last run in a directory of dumps (libprof.out): what each program took, then\n"
            "the five heaviest stacks of each kind of profile that holds anything, innermost\n"
            "function first, and what was lost. prof top, tree and list tell more of one kind:\n"
            "--profile cpu, heap, heappeak, block, mutex.\n"
            "\n"
            "Examples:\n"
            "  prof report\n"
            "  prof report --program cc1plus --run 2 libprof.out\n",
    .run = run_report,
    .options = "program run full no-symbols no-cache quiet",
};
