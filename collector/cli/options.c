/* One table of options for all commands, in both spellings: -name=x and --name x. */
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/nearest.h"

enum kind { FLAG, TEXT, INTEGER, NUMBER, GRANULARITY, SORT };

struct option {
    const char *name;
    const char *alias; /* another name, or NULL */
    const char *argument;
    const char *help;
    size_t at; /* offset in struct cli_options */
    enum kind kind;
    int value; /* of a GRANULARITY or SORT */
};

#define AT(field) offsetof(struct cli_options, field)
#define GRAIN AT(report.granularity)

static const struct option options[] = {
    {"sample_index", "sample", "TYPE", "type of value to show: inuse_space, alloc_space, 0...",
     AT(report.sample_index), TEXT, 0},
    {"nodecount", "n", "N", "show at most N places", AT(report.node_count), INTEGER, 0},
    {"nodefraction", NULL, "F", "hide places below F of the total (0.005)",
     AT(report.node_fraction), NUMBER, 0},
    {"edgefraction", NULL, "F", "hide calls below F of the total (0.001)", AT(report.edge_fraction),
     NUMBER, 0},
    {"trim", NULL, NULL, "-trim=false shows everything", AT(report.trim), FLAG, 0},
    {"cum", NULL, NULL, "sort by the cost with callees", AT(report.cum), SORT, 1},
    {"flat", NULL, NULL, "sort by the cost without callees (default)", AT(report.cum), SORT, 0},
    {"unit", NULL, "UNIT", "show values in this unit: MB, ms, auto", AT(report.unit), TEXT, 0},
    {"mean", NULL, NULL, "divide by the first type's value (a count)", AT(report.mean), FLAG, 0},
    {"divide_by", NULL, "N", "divide all values by N", AT(report.divide_by), NUMBER, 0},
    {"drop_negative", NULL, NULL, "hide what got less (with -base)", AT(report.drop_negative), FLAG,
     0},
    {"relative_percentages", NULL, NULL, "percentages of what the filters leave",
     AT(report.relative_percentages), FLAG, 0},
    {"compact_labels", NULL, NULL, "no header about the profile", AT(report.compact_labels), FLAG,
     0},
    {"functions", NULL, NULL, "add up by function (default)", GRAIN, GRANULARITY,
     PROFILE_FUNCTIONS},
    {"filefunctions", NULL, NULL, "add up by function and file", GRAIN, GRANULARITY,
     PROFILE_FILEFUNCTIONS},
    {"files", NULL, NULL, "add up by file", GRAIN, GRANULARITY, PROFILE_FILES},
    {"lines", NULL, NULL, "add up by source line", GRAIN, GRANULARITY, PROFILE_LINES},
    {"addresses", NULL, NULL, "add up by address", GRAIN, GRANULARITY, PROFILE_ADDRESSES},
    {"noinlines", NULL, NULL, "charge inlined code to the function it stands in",
     AT(report.no_inlines), FLAG, 0},
    {"focus", NULL, "REGEXP", "only samples with a frame that matches", AT(report.filter.focus),
     TEXT, 0},
    {"ignore", NULL, "REGEXP", "only samples without such a frame", AT(report.filter.ignore), TEXT,
     0},
    {"hide", NULL, "REGEXP", "leave matching frames out", AT(report.filter.hide), TEXT, 0},
    {"show", NULL, "REGEXP", "leave all other frames out", AT(report.filter.show), TEXT, 0},
    {"show_from", NULL, "REGEXP", "leave callers above the match out", AT(report.filter.show_from),
     TEXT, 0},
    {"prune_from", NULL, "REGEXP", "leave callees below the match out",
     AT(report.filter.prune_from), TEXT, 0},
    {"tagfocus", NULL, "[KEY=]MATCH",
     "only samples with such a label: thread=web, bytes=1kb:", AT(report.filter.tagfocus), TEXT, 0},
    {"tagignore", NULL, "[KEY=]MATCH", "only samples without it", AT(report.filter.tagignore), TEXT,
     0},
    {"tagshow", NULL, "REGEXP", "only labels whose key matches", AT(report.filter.tagshow), TEXT,
     0},
    {"taghide", NULL, "REGEXP", "only other labels", AT(report.filter.taghide), TEXT, 0},
    {"tagroot", NULL, "KEY,...", "labels as frames at the root", AT(report.tagroot), TEXT, 0},
    {"tagleaf", NULL, "KEY,...", "labels as frames at the leaf", AT(report.tagleaf), TEXT, 0},
    {"source_path", NULL, "DIR:...", "where to look for sources", AT(report.source_path), TEXT, 0},
    {"trim_path", NULL, "DIR:...", "what to cut off source paths first", AT(report.trim_path), TEXT,
     0},
    {"base", NULL, "FILE", "subtract this profile", AT(base), TEXT, 0},
    {"diff_base", NULL, "FILE", "compare with this profile, percentages are of it", AT(diff_base),
     TEXT, 0},
    {"normalize", NULL, NULL, "scale to the base's total first", AT(normalize), FLAG, 0},
    {"profile", NULL, "KIND", "of a directory or a PID: heap, cpu, threads, mutex...",
     AT(profile_kind), TEXT, 0},
    {"program", NULL, "NAME", "of a directory of dumps: only this program's (or NAME.PID)",
     AT(program), TEXT, 0},
    {"run", NULL, "N|all", "of a directory: this run of prof run (the last; -1: the one before)",
     AT(which_run), TEXT, 0},
    {"full", NULL, NULL, "names with parameters and template arguments", AT(full), FLAG, 0},
    {"mangled", NULL, NULL, "names as the linker knows them", AT(mangled), FLAG, 0},
    {"no-symbols", NULL, NULL, "do not look for names", AT(no_symbols), FLAG, 0},
    {"no-cache", NULL, NULL, "do not use $XDG_CACHE_HOME/libprof", AT(no_cache), FLAG, 0},
    {"pid", NULL, "PID", "of the profiled process, to find /tmp/perf-PID.map", AT(pid), TEXT, 0},
    {"force", NULL, NULL, "look names up again", AT(force), FLAG, 0},
    {"debug", NULL, "N", "2: one traceback for each thread", AT(debug), INTEGER, 0},
    {"maps", NULL, NULL, "add the memory map", AT(maps), FLAG, 0},
    {"asm", NULL, NULL, "show machine code (by objdump)", AT(assembly), FLAG, 0},
    {"suppressions", NULL, "FILE", "known leaks, in LeakSanitizer's syntax", AT(suppressions), TEXT,
     0},
    {"to", NULL, "FORMAT", "callgrind, folded... (without: lists them)", AT(to), TEXT, 0},
    {"title", NULL, "TEXT", "heading, where the format has one", AT(title), TEXT, 0},
    {"http", NULL, "[HOST:]PORT", "where the collector serves (127.0.0.1:6060)", AT(http), TEXT, 0},
    {"host", NULL, "NAME,...", "more names by which we may be called", AT(hosts), TEXT, 0},
    {"users", NULL, "NAME,...", "other users whose processes root's collector takes, or any",
     AT(users), TEXT, 0},
    {"socket", NULL, "PATH", "the collector's socket", AT(socket), TEXT, 0},
    {"dir", NULL, "DIR", "write dumps there (libprof.out)", AT(dir), TEXT, 0},
    {"default", NULL, "PID", "whose profiles /debug/pprof/ shows", AT(default_id), TEXT, 0},
    {"keep", NULL, "N", "ended processes to remember (1000; 0: all)", AT(keep), TEXT, 0},
    {"seconds", "s", "N", "length of the window", AT(seconds), TEXT, 0},
    {"last", NULL, "SECONDS", "of the past, which is kept with LIBPROF_TRACE=flight", AT(last),
     TEXT, 0},
    {"hz", NULL, "N", "CPU samples for each second of CPU time (100)", AT(hz), TEXT, 0},
    {"exact", NULL, NULL, "record every allocation", AT(exact), FLAG, 0},
    {"trace", NULL, NULL, "keep what happened last, for a trace", AT(trace), FLAG, 0},
    {"profiles", NULL, "LIST", "which are taken: heap,cpu,threads,threadcreate,block,mutex",
     AT(profiles), TEXT, 0},
    {"tree", NULL, NULL, "a process and all its children", AT(tree), FLAG, 0},
    {"timeout", NULL, "SECONDS", "how long to look for a safe moment (5)", AT(timeout), TEXT, 0},
    {"output", "o", "FILE", "write there", AT(output), TEXT, 0},
    {"quiet", "q", NULL, "no notices, only errors", AT(quiet), FLAG, 0},
};

/* Printed above the option named, for it and what follows in the table. */
static const struct {
    const char *first, *text;
} headings[] = {
    {"sample_index", "What is shown"},
    {"functions", "How it is added up"},
    {"focus", "Which samples and frames"},
    {"tagroot", "More frames, sources"},
    {"base", "Where it comes from"},
    {"full", "Names"},
    {"debug", "Form"},
    {"http", "Collector"},
    {"output", "General"},
};

#define N_OPTIONS (sizeof(options) / sizeof(*options))

/* Is it one of the words of the command's list? */
static bool command_takes(const struct command *c, const char *name)
{
    size_t n = strlen(name);
    for (const char *s = c->options; *s;) {
        size_t word = strcspn(s, " ");
        if (word == n && memcmp(s, name, n) == 0)
            return true;
        s += word;
        s += strspn(s, " ");
    }
    return false;
}

/* GNU spellings use dashes within words, Go's underscores: both are taken. */
static bool same_name(const char *given, size_t n, const char *name)
{
    if (!name || strlen(name) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (given[i] != name[i] &&
            !((given[i] == '-' || given[i] == '_') && (name[i] == '-' || name[i] == '_')))
            return false;
    return true;
}

static const struct option *find_option(const struct command *c, const char *given, size_t n)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if ((same_name(given, n, options[i].name) || same_name(given, n, options[i].alias)) &&
            command_takes(c, options[i].name))
            return &options[i];
    return NULL;
}

static bool parse_bool(const char *text, bool *value)
{
    *value = strcmp(text, "true") == 0 || strcmp(text, "1") == 0 || strcmp(text, "t") == 0;
    return *value || strcmp(text, "false") == 0 || strcmp(text, "0") == 0 || strcmp(text, "f") == 0;
}

static bool set_option(const struct option *op, const char *text, struct cli_options *o)
{
    char *at = (char *)o + op->at, *end = "";
    bool flag = true;
    switch (op->kind) {
    case TEXT:
        memcpy(at, &text, sizeof(text));
        return true;
    case INTEGER:
        *(long *)(void *)at = strtol(text, &end, 10);
        return *text && !*end;
    case NUMBER:
        *(double *)(void *)at = strtod(text, &end);
        return *text && !*end;
    case FLAG:
        return parse_bool(text, (bool *)(void *)at);
    case SORT:
        if (!parse_bool(text, &flag))
            return false;
        *(bool *)(void *)at = flag ? op->value : !op->value;
        return true;
    default:
        if (!parse_bool(text, &flag))
            return false;
        if (flag)
            *(enum profile_granularity *)(void *)at = (enum profile_granularity)op->value;
        return true;
    }
}

static bool takes_value(const struct option *op)
{
    return op->kind == TEXT || op->kind == INTEGER || op->kind == NUMBER;
}

static void no_such_option(const struct command *c, const char *given, const char *name, size_t n)
{
    const struct option *near = NULL;
    unsigned best = UINT_MAX;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        unsigned distance = nearest_distance(name, n, options[i].name);
        if (distance < best && command_takes(c, options[i].name)) {
            best = distance;
            near = &options[i];
        }
    }
    if (near && nearest_is_slip(best, n))
        fprintf(stderr, "prof %s: no option %s: did you mean --%s?\n", c->name, given, near->name);
    else
        fprintf(stderr, "prof %s: no option %s: see prof help %s\n", c->name, given, c->name);
}

bool cli_parse_options(const struct command *c, int argc, char **argv, struct cli_options *o)
{
    memset(o, 0, sizeof(*o));
    report_options_init(&o->report);
    o->report.notice = cli_notice;
    o->report.notice_arg = o;
    o->arguments = argv; /* arguments are gathered at the front */
    for (int i = 0; i < argc; i++) {
        char *s = argv[i];
        if (strcmp(s, "--") == 0) {
            while (++i < argc)
                o->arguments[o->n_arguments++] = argv[i];
            break;
        }
        if (*s != '-' || !s[1]) {
            o->arguments[o->n_arguments++] = s;
            while (c->takes_command && ++i < argc)
                o->arguments[o->n_arguments++] = argv[i];
            continue;
        }
        const char *name = s + 1 + (s[1] == '-');
        size_t n = strcspn(name, "=");
        const struct option *op = find_option(c, name, n);
        if (!op) {
            no_such_option(c, s, name, n);
            return false;
        }
        const char *value = name[n] ? name + n + 1 : NULL;
        if (!value && takes_value(op) && ++i == argc) {
            fprintf(stderr, "prof %s: option %s needs a value\n", c->name, s);
            return false;
        }
        if (!value)
            value = takes_value(op) ? argv[i] : "true";
        if (!set_option(op, value, o)) {
            fprintf(stderr, "prof %s: option %s does not take '%s'\n", c->name, op->name, value);
            return false;
        }
    }
    o->arguments[o->n_arguments] = NULL; /* execvp() reads up to it */
    return true;
}

void cli_print_options(const struct command *c, FILE *out)
{
    const char *heading = NULL;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *op = &options[i];
        char left[80];
        for (size_t j = 0; j < sizeof(headings) / sizeof(*headings); j++)
            if (strcmp(headings[j].first, op->name) == 0)
                heading = headings[j].text;
        if (!command_takes(c, op->name))
            continue;
        if (heading)
            fprintf(out, "\n%s:\n", heading);
        heading = NULL;
        snprintf(left, sizeof(left), "%s-%s%s%s%s", strlen(op->name) > 1 ? "-" : "", op->name,
                 op->alias ? (op->alias[1] ? ", --" : ", -") : "", op->alias ? op->alias : "",
                 op->argument ? " " : "");
        fprintf(out, "  %s%-*s  %s\n", left, (int)(strlen(left) < 32 ? 32 - strlen(left) : 0),
                op->argument ? op->argument : "", op->help);
    }
}
