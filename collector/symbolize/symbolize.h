/*
 * Names for addresses: fills in functions, files and lines of the locations that
 * have none, from the files the mappings name.
 *
 * Sources, best first: DWARF (with inlined functions) of the file itself, of a
 * separate debug file (by build id or .gnu_debuglink, or debuginfod if the user
 * set DEBUGINFOD_URLS); .symtab; the xz-packed .gnu_debugdata; .dynsym; for code
 * without a file, /tmp/perf-PID.map. A file whose build id is not the mapping's is
 * never used: wrong names are worse than none.
 */
#ifndef COLLECTOR_SYMBOLIZE_SYMBOLIZE_H
#define COLLECTOR_SYMBOLIZE_SYMBOLIZE_H

#include "profile/profile.h"
#include "symbolize/demangle.h"

struct symbolize_options {
    enum demangle_style style;
    /* Symbolize again what has names already. */
    bool force;
    /* Do not read or write the cache below $XDG_CACHE_HOME. */
    bool no_cache;
    /* Show progress on stderr if it is a terminal and it takes over a second. */
    bool progress;
    /* Of the profiled process, for perf-PID.map; 0: found in the comments, or not used. */
    long pid;
    /* If not NULL: becomes a malloc'ed array, by location id - 1, of the run-time
     * address where the physical function starts; 0: unknown. */
    uint64_t **entries;
    /* Receives what is missing, without newline: a line for each file that can't be used, one
     * for all that are stripped, one for code outside of files. May be NULL. */
    void (*missing)(void *arg, const char *text);
    void *arg;
};

/* In place. Never fails: what cannot be named stays as it is and is told to
 * `missing`. Returns the number of locations that got a name. */
size_t symbolize_profile(struct profile *p, const struct symbolize_options *options);

#endif
