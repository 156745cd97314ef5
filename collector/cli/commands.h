/* The commands, one for each cmd_*.c. */
#ifndef COLLECTOR_CLI_COMMANDS_H
#define COLLECTOR_CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct command cmd_attach;
extern const struct command cmd_detach;
extern const struct command cmd_diff;
extern const struct command cmd_env;
extern const struct command cmd_export;
extern const struct command cmd_filter;
extern const struct command cmd_leaks;
extern const struct command cmd_list;
extern const struct command cmd_memory;
extern const struct command cmd_merge;
extern const struct command cmd_peek;
extern const struct command cmd_raw;
extern const struct command cmd_stats;
extern const struct command cmd_cpu;
extern const struct command cmd_dump;
extern const struct command cmd_live;
extern const struct command cmd_ps;
extern const struct command cmd_report;
extern const struct command cmd_run;
extern const struct command cmd_runs;
extern const struct command cmd_serve;
extern const struct command cmd_symbolize;
extern const struct command cmd_tags;
extern const struct command cmd_text;
extern const struct command cmd_threads;
extern const struct command cmd_top;
extern const struct command cmd_trace;
extern const struct command cmd_traces;
extern const struct command cmd_tree;
extern const struct command cmd_wall;
extern const struct command cmd_web;

/* Options of every command that loads profiles, and of every report. */
#define LOAD_OPTIONS                                                                               \
    "base diff_base normalize profile program run seconds http no-symbols full mangled no-cache "  \
    "pid "                                                                                         \
    "quiet "
#define FILTER_OPTIONS                                                                             \
    "focus ignore hide show show_from prune_from tagfocus tagignore tagshow taghide "
#define REPORT_OPTIONS                                                                             \
    "sample_index cum flat nodecount nodefraction edgefraction trim unit mean divide_by "          \
    "drop_negative relative_percentages compact_labels functions filefunctions files lines "       \
    "addresses noinlines tagroot tagleaf source_path trim_path output " FILTER_OPTIONS             \
        LOAD_OPTIONS

#endif
