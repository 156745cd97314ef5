/* The index page of /debug/pprof/: Go's, with its descriptions of the profiles. */
#ifndef COLLECTOR_SERVE_PPROF_INDEX_H
#define COLLECTOR_SERVE_PPROF_INDEX_H

#include "serve/http.h"
#include "wire/encode.h"

/* Answers GET /debug/pprof/ of a process: HTML, or text where the query asks for it. */
void pprof_index(struct request *request, struct response *response, struct process *process);

/* What the index lists, in the order of names, as Go sorts them. */
struct pprof_entry {
    const char *name; /* NULL ends the list */
    int profile;      /* enum dump_profile; negative: counts as 0 */
    const char *text;
};
extern const struct pprof_entry pprof_entries[];

/* How many records each profile would have. */
void pprof_count_records(struct process *process, size_t counts[DUMP_PROFILES]);

#endif
