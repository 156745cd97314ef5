/*
 * Directories of libprof's dumps: files EXE.PID.SEQ.PROFILE.pb.gz. Each dump holds
 * everything since the process started, so of each process only the newest counts.
 */
#ifndef COLLECTOR_CLI_DUMP_DIR_H
#define COLLECTOR_CLI_DUMP_DIR_H

#include "profile/profile.h"

struct dump_list {
    char **paths;
    size_t n;
    char *told; /* a line for people: which these are, what else there is */
};

/* Which of them; each may be NULL. */
struct dump_pick {
    const char *kind;    /* "heap"; NULL: the first of heap, cpu, ... that there is */
    const char *program; /* EXE or EXE.PID, with the shell's wildcards; NULL: all */
    const char *run;     /* as runs_choose takes it (cli/runs.h); NULL: the last run */
};

/* The newest dump of each process. False with *err: unreadable, or nothing there. */
bool dump_dir_list(const char *dir, const struct dump_pick *pick, struct dump_list *out,
                   struct error *err);
void dump_list_free(struct dump_list *l);

#endif
