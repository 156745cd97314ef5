/*
 * A run at a glance: which programs took what, and the heaviest stacks of each kind of profile.
 * What `prof report` prints.
 */
#ifndef COLLECTOR_REPORT_OVERVIEW_H
#define COLLECTOR_REPORT_OVERVIEW_H

#include <stdio.h>

#include "profile/profile.h"

struct overview;

/* An empty one, the caller's, until overview_free. */
struct overview *overview_new(void);
void overview_free(struct overview *overview);

/* Adds what a process's profile of a kind ("cpu", "heap", "block", "mutex") says to its program's
 * row. process: any text by which it is told from others. p: borrowed for the call; needs no names.
 */
void overview_add(struct overview *overview, const char *process, const char *kind,
                  const struct profile *p);

/* The table of programs, the busiest first: processes, CPU time, bytes allocated, in use at the
 * end, time waited, most resident memory. */
void overview_print_programs(const struct overview *overview, FILE *out);

/* Events that were lost, one line for each reason with the sum over all processes; nothing when
 * none was. */
void overview_print_losses(const struct overview *overview, FILE *out);

/* The heaviest stacks of a profile with names, by the sample type `type`, at most `most` of them: a
 * heading, then value, share and the innermost functions of each. Nothing for a profile whose sum
 * is 0. False: nothing was printed. */
bool overview_print_stacks(const struct profile *p, const char *type, const char *heading,
                           size_t most, FILE *out);

#endif
