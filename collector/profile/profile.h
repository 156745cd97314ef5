/*
 * A pprof profile in memory: the model every reader, writer, report, export and
 * web page of the collector works on.
 *
 * Ownership: everything reachable from a struct profile (strings, samples,
 * labels, lines) lives in the profile's own memory and dies with profile_free().
 * Objects are made with the profile_add_* functions; fields are then plain data
 * that anybody may read and change. To drop samples, rewrite p->samples[] and
 * p->n_samples; the memory comes back with profile_free().
 *
 * Strings: never NULL ("" when absent) and interned: two strings of the same
 * profile are equal exactly when their pointers are. A string put into a field
 * must come from profile_intern() of that profile.
 *
 * Ids: the `id` of mappings, locations and functions is their index + 1, always;
 * the profile_add_* functions see to it. Arrays indexed by id - 1 are the cheap
 * way to attach something to them.
 *
 * Threads: a profile belongs to one thread at a time. Several threads may read
 * one that nobody changes.
 *
 * Memory: running out of memory ends the program with a message (as mem.h
 * does elsewhere): reading is bounded by PROFILE_MAX_* instead.
 */
#ifndef COLLECTOR_PROFILE_PROFILE_H
#define COLLECTOR_PROFILE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct profile_pool;

struct profile_value_type {
    const char *type; /* "inuse_space" */
    const char *unit; /* "bytes" */
};

/* An executable segment of a file in the target's address space. */
struct profile_mapping {
    uint64_t id;
    uint64_t start;  /* run-time addresses */
    uint64_t limit;  /* exclusive */
    uint64_t offset; /* of start, in the file */
    const char *file;
    const char *build_id; /* lower-case hexadecimal */
    /* What is known of this mapping's locations; all false: not symbolized. */
    bool has_functions;
    bool has_filenames;
    bool has_line_numbers;
    bool has_inline_frames;
};

struct profile_function {
    uint64_t id;
    const char *name;        /* for people: demangled */
    const char *system_name; /* for the linker: mangled */
    const char *filename;    /* where the code is, absolute if known */
    int64_t start_line;      /* 0: unknown */
};

struct profile_line {
    struct profile_function *function; /* never NULL */
    int64_t line;                      /* 0: unknown */
    int64_t column;                    /* 0: unknown */
};

/* One program counter. lines[0] is the innermost inlined function, the last one
 * the function the code really stands in; no lines: not symbolized. */
struct profile_location {
    uint64_t id;
    struct profile_mapping *mapping; /* NULL: none */
    uint64_t address;                /* run-time; of a caller, return address - 1 */
    struct profile_line *lines;
    size_t n_lines;
    bool is_folded; /* several functions share this code */
};

/* str != NULL: a string label (num, unit unused). str == NULL: a number. */
struct profile_label {
    const char *key;
    const char *str;
    int64_t num;
    const char *unit; /* "" when unset */
};

struct profile_sample {
    struct profile_location **locations; /* leaf first */
    size_t n_locations;
    int64_t *values; /* profile->n_sample_types of them */
    struct profile_label *labels;
    size_t n_labels;
};

struct profile {
    struct profile_value_type *sample_types;
    size_t n_sample_types;

    struct profile_sample **samples;
    size_t n_samples;
    struct profile_mapping **mappings; /* the first is the main program's */
    size_t n_mappings;
    struct profile_location **locations;
    size_t n_locations;
    struct profile_function **functions;
    size_t n_functions;
    const char **comments;
    size_t n_comments;

    const char *drop_frames; /* regular expressions, see profile_prune() */
    const char *keep_frames;
    int64_t time_nanos; /* start of collection, UTC */
    int64_t duration_nanos;
    struct profile_value_type period_type; /* "", "" when unset */
    int64_t period;
    const char *default_sample_type;
    const char *doc_url;

    struct profile_pool *pool; /* private: memory and strings */
};

/* An empty profile. Never NULL. */
struct profile *profile_new(void);
/* NULL is fine. */
void profile_free(struct profile *p);

/* The profile's own copy of s; NULL counts as "". */
const char *profile_intern(struct profile *p, const char *s);
/* The same for n bytes (up to the first NUL among them). */
const char *profile_intern_n(struct profile *p, const char *s, size_t n);
/* Uninitialised memory that lives as long as the profile. Never NULL. */
void *profile_alloc(struct profile *p, size_t size);

/* Before the first sample. Strings are interned here. */
void profile_add_sample_type(struct profile *p, const char *type, const char *unit);
void profile_add_comment(struct profile *p, const char *text);
/* All zero, strings "". */
struct profile_mapping *profile_add_mapping(struct profile *p);
/* Strings are interned here. Does not look for an equal one: profile_find_function() does. */
struct profile_function *profile_add_function(struct profile *p, const char *name,
                                              const char *system_name, const char *filename,
                                              int64_t start_line);
/* The location's lines are zeroed: fill in lines[i].function of each. */
struct profile_location *profile_add_location(struct profile *p, struct profile_mapping *mapping,
                                              uint64_t address, size_t n_lines);
/* Replaces the lines of a location by n zeroed ones. */
void profile_set_lines(struct profile *p, struct profile_location *l, size_t n);
/* locations[], values[] and labels[] are zeroed: fill them in. */
struct profile_sample *profile_add_sample(struct profile *p, size_t n_locations, size_t n_labels);

/* ---- Asking ---- */

/* Index of the sample type shown when nobody asked for one: default_sample_type
 * if it names one, else the last. -1: the profile has no sample types. */
int profile_default_index(const struct profile *p);

/* Index for what the user typed: NULL or "" (the default), a number, a type name
 * ("inuse_space"; "contentions" and "inuse_contentions" too, as pprof takes them).
 * -1 with *err filled in. */
int profile_find_index(const struct profile *p, const char *name, struct error *err);

/* NULL or the label of that name. */
const struct profile_label *profile_find_label(const struct profile_sample *s, const char *key);

/* The names by which the programs of a (merged) profile were started, each once: up to max of them
 * into names, as long as the profile. Returns how many there are; 0: it does not say. */
size_t profile_programs(const struct profile *p, const char **names, size_t max);

/* The first of them; else the base name of the main program's file, "" if unknown. */
const char *profile_program_name(const struct profile *p);

/* Are all rules of the format kept (one value for each type, lines with functions,
 * locations that belong here)? Readers call it; so may the author of a profile. */
bool profile_check(const struct profile *p, struct error *err);

#endif
