/* Labels and frames in reports: grouped by key, in the order pprof prints them. */
#ifndef COLLECTOR_REPORT_LABEL_TEXT_H
#define COLLECTOR_REPORT_LABEL_TEXT_H

#include <stdio.h>

#include "profile/profile.h"

/* malloc'ed: what a graph node of this line would be labelled. */
char *label_for_line(const struct profile_location *l, const struct profile_line *line);

/* traces: `      user:  bob` for each key, string labels first. */
void label_print_lines(const struct profile *p, const struct profile_sample *s, FILE *out);

/* raw: all string labels on one line, all numeric ones on another. */
void label_print_raw(const struct profile_sample *s, FILE *out);

/* raw: `Duration: 1.2s`, as Go prints durations. */
void label_print_duration(int64_t nanos, FILE *out);

#endif
