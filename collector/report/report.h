/*
 * Text reports: what `go tool pprof -top`, -tree, -peek, -traces, -list, -raw and
 * -tags print, to the letter, and prof's own.
 *
 * Use: fill in struct report_options (report_options_init() first), prepare the
 * profile with report_open(), print, report_close().
 */
#ifndef COLLECTOR_REPORT_REPORT_H
#define COLLECTOR_REPORT_REPORT_H

#include <stdio.h>

#include "profile/profile_ops.h"
#include "profile/unit.h"
#include "report/graph.h"

struct report_options {
    struct profile_filter filter;
    const char *sample_index; /* NULL: the profile's default */
    const char *unit;         /* "minimum" */
    const char *tagroot, *tagleaf;
    const char *source_path, *trim_path; /* "" */
    long source_uid; /* show no source that this user can't read; -1: ask nobody */
    enum profile_granularity granularity;
    bool no_inlines;
    bool cum;  /* sort by cum rather than flat */
    bool mean; /* values divided by the first type's */
    bool drop_negative;
    bool compact_labels; /* no header lines about the profile */
    bool relative_percentages;
    bool trim;            /* honour the three limits below */
    bool object_names;    /* tell equal functions of different files apart */
    long node_count;      /* 0: all; -1: the report's default */
    double node_fraction; /* hide nodes below this part of the total */
    double edge_fraction;
    double divide_by;
    profile_notice_fn *notice; /* "Focus expression matched no samples" */
    void *notice_arg;
};

/* pprof's defaults. */
void report_options_init(struct report_options *o);

struct report {
    struct profile *p; /* filtered and aggregated; changed by report_open() */
    struct report_options o;
    int index;            /* of the sample type shown */
    int64_t total;        /* what percentages are of */
    const char *unit;     /* of the values */
    const char *out_unit; /* they are shown in this one */
    char type_name[128];  /* "inuse_space", "mean_inuse_space" */
};

/* Filters and aggregates p in place. False with *err (an option that makes no
 * sense). p stays the caller's. */
bool report_open(struct report *r, struct profile *p, const struct report_options *o,
                 struct error *err);

/* A value in the report's unit. Returns buf. */
char *report_value(const struct report *r, char buf[UNIT_TEXT], int64_t value);

/* The graph cut to what the options leave, sorted, with its losses. */
struct report_graph {
    struct graph *graph;
    size_t original_nodes, dropped_nodes, dropped_edges;
};
/* Also chooses r->out_unit when that is "minimum". */
void report_graph_make(struct report *r, struct report_graph *g);

/* Header lines: about the profile; about what is shown of it. */
void report_print_profile_labels(const struct report *r, FILE *out);
void report_print_labels(const struct report *r, const struct report_graph *g, FILE *out);

/* The table of functions (or what the options make of them) with their own and cumulative values.
 */
void report_top(struct report *r, FILE *out);
/* symbol: only nodes matching this expression (peek), or NULL for all. */
bool report_tree(struct report *r, const char *symbol, FILE *out, struct error *err);
void report_traces(struct report *r, FILE *out);
void report_tags(struct report *r, FILE *out);
void report_raw(const struct profile *p, FILE *out);
/* Source lines of the functions that match. */
bool report_list(struct report *r, const char *symbol, FILE *out, struct error *err);

/* What report_list shows, for those who show it in another way. A function has one
 * part for each source file it has code in. */
struct report_source_line {
    int64_t number, flat, cum;
    const char *text; /* NULL: not to be had */
};
struct report_source {
    const char *function;
    const char *file; /* "" unknown: no lines then */
    const char *why;  /* the text is not to be had: only lines with a cost then; or NULL */
    int64_t flat, cum;
    const struct report_source_line *lines;
    size_t n_lines;
};
typedef void report_source_fn(void *arg, const struct report *r, const struct report_source *part);
bool report_visit_sources(struct report *r, const char *symbol, report_source_fn *visit, void *arg,
                          struct error *err);

/* Totals, losses, largest places. */
void report_stats(struct report *r, FILE *out);
/* What is in use, by stack; suppression_file in LeakSanitizer's syntax, or NULL. */
bool report_leaks(struct report *r, const char *suppression_file, FILE *out, struct error *err);

#endif
