/*
 * The runs of `prof run` that share a directory. Each leaves a file run.N there: its number,
 * when it started, its command, and the dumps it wrote:
 *
 *   libprof run 2
 *   started 1764556000123456789
 *   command ./app --fast
 *   dump app.4242.0001
 *   ended 1764556012123456789
 *
 * So that "measure, change, measure" doesn't add the measurements up.
 */
#ifndef COLLECTOR_CLI_RUNS_H
#define COLLECTOR_CLI_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "serve/collector_state.h"

struct run {
    unsigned number;
    int64_t started_ns, ended_ns; /* CLOCK_REALTIME; ended_ns 0: it goes on, or was killed */
    char *command;
    char **dumps; /* "EXE.PID.SEQ" */
    size_t n_dumps, cap_dumps;
};

struct runs {
    struct run *list; /* by number */
    size_t n, cap;
};

/* Takes the next number of the directory and writes the file's beginning. *file is then to be
 * handed to runs_end. Returns the number; 0 with *err filled in. */
unsigned runs_begin(const char *dir, char *const *command, FILE **file, struct error *err);

/* Notes the dumps of all processes of the collector, and closes the file. Returns how many. */
size_t runs_end(FILE *file, struct collector *collector);
/* Removes the file of a run. */
void runs_forget(const char *dir, unsigned number);

/* An unreadable directory has none. runs_free releases them. */
void runs_read(const char *dir, struct runs *runs);
void runs_free(struct runs *runs);

/*
 * To which run a dump ("EXE.PID.SEQ") belongs: the one that lists it. One that nobody lists
 * (a daemon wrote it later, or prof was killed) belongs to the last run that had started at
 * mtime_ns. 0: it is older than all runs.
 */
unsigned runs_owner(const struct runs *runs, const char *dump, int64_t mtime_ns);

/*
 * The run that is asked for: "2", "-1" (the one before the last), "last"; NULL is the last.
 * UINT_MAX for "all"; 0 with *err filled in when there is no such run.
 */
unsigned runs_choose(const struct runs *runs, const char *text, struct error *err);

#endif
