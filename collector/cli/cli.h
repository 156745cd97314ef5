/*
 * The command line of prof. Each command is a file cmd_NAME.c with one struct
 * command; commands.c lists them all.
 *
 * Exit status: 0 done, 1 something is wrong with the input (one line on stderr says
 * what), 2 the command line makes no sense.
 */
#ifndef COLLECTOR_CLI_CLI_H
#define COLLECTOR_CLI_CLI_H

#include "report/report.h"
#include "symbolize/demangle.h"

/* What the common options can set. Fields a command does not use are ignored. */
struct cli_options {
    struct report_options report;
    const char *output;       /* --output, -o */
    const char *base;         /* --base: subtracted */
    const char *diff_base;    /* --diff_base: compared with */
    const char *profile_kind; /* --profile: which files of a directory */
    const char *program;      /* --program: whose files of a directory */
    const char *which_run;    /* --run: which run's files of a directory */
    const char *base_run;     /* set by prof diff: the run that is the base */
    const char *suppressions; /* --suppressions */
    const char *to;           /* --to: a format */
    const char *title;        /* --title */
    const char *pid;          /* --pid: for perf-PID.map */
    long debug;               /* --debug */
    bool normalize;           /* --normalize */
    bool full;                /* --full: names with parameters */
    bool mangled;             /* --mangled */
    bool no_symbols;          /* --no-symbols */
    bool no_cache;            /* --no-cache */
    bool force;               /* --force */
    bool maps;                /* --maps */
    bool assembly;            /* --asm */
    bool quiet;               /* --quiet: no notices */
    bool as_is;               /* set by commands: cli_load() only adds up */
    const char *http;         /* --http: address to serve on */
    const char *users;        /* --users: separated by commas, or "any" */
    const char *hosts;        /* --host: names allowed in Host, separated by commas */
    const char *socket;       /* --socket: of the collector */
    const char *dir;          /* --dir: where the collector writes dumps */
    const char *default_id;   /* --default: whose profiles /debug/pprof/ shows */
    const char *keep;         /* --keep: ended processes remembered */
    const char *seconds;      /* --seconds: length of a window */
    const char *last;         /* --last: seconds of the past */
    const char *hz;           /* --hz: CPU samples a second */
    bool exact;               /* --exact: every allocation */
    bool trace;               /* --trace: keep what happened last */
    const char *profiles;     /* --profiles: which ones are taken */
    const char *timeout;      /* --timeout: seconds */
    bool tree;                /* --tree: a process and its children */
    char **arguments;         /* what is no option */
    int n_arguments;
};

struct command {
    const char *name;
    const char *usage;   /* "[OPTIONS] FILE..." */
    const char *summary; /* one line, no full stop */
    const char *help;    /* paragraphs and examples */
    int (*run)(struct cli_options *o);
    const char *options; /* names of the options it takes, separated by blanks */
    bool takes_function; /* the first argument is a function, files follow */
    bool takes_command;  /* what follows the first argument is another program's */
};

/* All commands, in the order of `prof help`; ends with a NULL. */
extern const struct command *const cli_commands[];
const struct command *cli_find_command(const char *name);

/* Parses argv (without program and command) into *o. False: told on stderr. */
bool cli_parse_options(const struct command *c, int argc, char **argv, struct cli_options *o);
void cli_print_options(const struct command *c, FILE *out);
/* `prof help` and `prof help COMMAND`. */
void cli_print_overview(FILE *out);
void cli_print_help(const struct command *c, FILE *out);

/* `prof: SUBJECT: TEXT` on stderr; returns 1, the exit status. */
int cli_fail(const char *subject, const char *text);
/* For notices: `prof: TEXT` on stderr; arg is the struct cli_options. */
void cli_notice(void *arg, const char *text);

/*
 * The profile the arguments from index `first` on name (files, directories of dumps,
 * URLs, PIDs that a collector knows), merged; less --base; symbolized unless --no-symbols;
 * drop_frames applied. NULL: told. *entries (if not NULL) becomes malloc'ed, as
 * symbolize_options.entries.
 */
struct profile *cli_load(struct cli_options *o, int first, uint64_t **entries);

/* stdout, or --output by way of a temporary file. NULL: told. */
FILE *cli_open_output(struct cli_options *o);
/* Returns the exit status: a report that could not be written is told and 1. With ok
 * false nothing is left behind. */
int cli_close_output(struct cli_options *o, FILE *out, bool ok);

#endif
