#include "cli/cmd_export.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/export.h"
#include "profile/profile_io.h"
#include "profile/profile_ops.h"
#include "profile/xalloc.h"

struct request {
    const struct export_format *format;
    const char *out;   /* NULL: standard output */
    const char *type;  /* sample type's name or number, NULL: the default */
    const char *title; /* NULL: the exporter's own */
    const char *base;  /* file to subtract, NULL: none */
    bool diff;         /* keep base apart: a comparison */
    struct profile_filter filter;
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "prof export: %s%s%s\n", what, *what ? ": " : "", why);
    return 1;
}

static void print_notice(void *arg, const char *text)
{
    fprintf(stderr, "prof export: %s\n", text);
}

static void print_help(FILE *out)
{
    fputs("usage: prof export --to FORMAT [-o OUT] FILE...\n"
          "Writes profiles, added up, for another tool. Formats:\n",
          out);
    for (const struct export_format *f = export_formats; f->name; f++)
        fprintf(out, "  %-12s %s\n", f->name, f->purpose);
    fputs("Options:\n"
          "  -o, --output OUT     write there (default: standard output)\n"
          "  --sample_index TYPE  the type shown, or shown first (name or number)\n"
          "  --base FILE          subtract FILE\n"
          "  --diff_base FILE     compare with FILE: before and after\n"
          "  --title TEXT         heading, where the format has one\n"
          "  --focus, --ignore, --hide, --show, --show_from, --prune_from,\n"
          "  --tagfocus, --tagignore, --tagshow, --taghide REGEX\n"
          "                       as in go tool pprof\n",
          out);
}

enum {
    OPT_TO = 256,
    OPT_TYPE,
    OPT_TITLE,
    OPT_BASE,
    OPT_DIFF_BASE,
    OPT_HELP,
    OPT_FILTER, /* and above: index into filter_fields */
};

#define FILTER(field)                                                                              \
    {                                                                                              \
#field, offsetof(struct profile_filter, field)                                             \
    }
static const struct {
    const char *name;
    size_t offset;
} filter_fields[] = {
    FILTER(focus),      FILTER(ignore),   FILTER(hide),      FILTER(show),    FILTER(show_from),
    FILTER(prune_from), FILTER(tagfocus), FILTER(tagignore), FILTER(tagshow), FILTER(taghide),
};
#define N_FILTERS (sizeof(filter_fields) / sizeof(filter_fields[0]))

static bool set_option(struct request *r, int option, const char *value, struct profile_error *err)
{
    if (option >= OPT_FILTER) {
        size_t offset = filter_fields[option - OPT_FILTER].offset;
        *(const char **)((char *)&r->filter + offset) = value;
        return true;
    }
    switch (option) {
    case OPT_TO:
        return (r->format = export_find_format(value, err)) != NULL;
    case 'o':
        r->out = value;
        return true;
    case OPT_TYPE:
        r->type = value;
        return true;
    case OPT_TITLE:
        r->title = value;
        return true;
    case OPT_BASE:
    case OPT_DIFF_BASE:
        r->base = value;
        r->diff = option == OPT_DIFF_BASE;
        return true;
    }
    return profile_fail(err, "see prof export --help");
}

/* -1: go on; else the exit status. */
static int parse_options(struct request *r, int argc, char **argv)
{
    static const struct option fixed[] = {
        {"to", required_argument, NULL, OPT_TO},
        {"output", required_argument, NULL, 'o'},
        {"sample_index", required_argument, NULL, OPT_TYPE},
        {"title", required_argument, NULL, OPT_TITLE},
        {"base", required_argument, NULL, OPT_BASE},
        {"diff_base", required_argument, NULL, OPT_DIFF_BASE},
        {"help", no_argument, NULL, OPT_HELP},
    };
    enum { N_FIXED = sizeof(fixed) / sizeof(fixed[0]) };
    struct option options[N_FIXED + N_FILTERS + 1] = {0};
    struct profile_error err;
    int option;
    memcpy(options, fixed, sizeof(fixed));
    for (size_t i = 0; i < N_FILTERS; i++)
        options[N_FIXED + i] = (struct option){
            .name = filter_fields[i].name,
            .has_arg = required_argument,
            .val = (int)(OPT_FILTER + i),
        };
    while ((option = getopt_long_only(argc, argv, "o:", options, NULL)) != -1) {
        if (option == OPT_HELP) {
            print_help(stdout);
            return 0;
        }
        if (option == '?')
            return 2; /* getopt has said why */
        if (!set_option(r, option, optarg, &err))
            return fail("", err.text), 2;
    }
    if (!r->format)
        return fail("", "--to FORMAT is missing; see prof export --help"), 2;
    if (optind == argc)
        return fail("", "no profile is named; see prof export --help"), 2;
    return -1;
}

/* The sum of the files; NULL after saying why. */
static struct profile *load_sum(char *const *paths, size_t n)
{
    struct profile **parts = xcalloc(n, sizeof(*parts));
    struct profile *sum = NULL;
    struct profile_error err;
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        parts[i] = profile_read_file(paths[i], &err);
        ok = parts[i] != NULL;
        if (!ok)
            fail(paths[i], err.text);
    }
    if (ok) {
        sum = profile_merge(parts, n, &err);
        if (!sum)
            fail("merging", err.text);
    }
    for (size_t i = 0; i < n; i++)
        profile_free(parts[i]);
    free(parts);
    return sum;
}

static struct profile *load(const struct request *r, char *const *paths, size_t n)
{
    struct profile_error err;
    struct profile *p = load_sum(paths, n);
    if (p && r->base) {
        char *path[] = {xstrdup(r->base)};
        struct profile *base = load_sum(path, 1), *both = NULL;
        if (base && !(both = profile_subtract(p, base, r->diff, &err)))
            fail(r->base, err.text);
        free(path[0]);
        profile_free(base);
        profile_free(p);
        p = both;
    }
    if (p && (!profile_prune(p, &err) ||
              !profile_apply_filter(p, &r->filter, print_notice, NULL, &err))) {
        fail("", err.text);
        profile_free(p);
        return NULL;
    }
    return p;
}

int cmd_export(int argc, char **argv)
{
    struct request r = {0};
    struct profile_error err;
    struct writer out = {0};
    int status = parse_options(&r, argc, argv);
    if (status >= 0)
        return status;
    struct profile *p = load(&r, argv + optind, (size_t)(argc - optind));
    if (!p)
        return 1;
    struct export_options options = {
        .type = profile_find_index(p, r.type, &err),
        .title = r.title,
    };
    const char *path = r.out ? r.out : "-";
    if (options.type < 0 || !r.format->write(&out, p, &options, &err))
        status = fail("", err.text);
    else if (!profile_write_bytes(path, out.data, out.size, &err))
        status = fail(r.out ? path : "standard output", err.text);
    else
        status = 0;
    writer_free(&out);
    profile_free(p);
    return status;
}
