/*
 * How exact a sampled profile's figures are. A heap sample of `size` bytes is taken with
 * probability p = 1 - e^(-size/rate) and stands for 1/p blocks, so a total is the sum of size/p
 * over the samples, and its variance the sum of (size/p)^2 (1-p), which is estimated without bias
 * from the samples themselves (Horvitz and Thompson, 1952). A sample's size is its label "bytes",
 * as in Go's profiles.
 */
#ifndef COLLECTOR_REPORT_PRECISION_H
#define COLLECTOR_REPORT_PRECISION_H

#include <stdbool.h>

#include "report/report.h"

struct report_precision {
    double samples; /* that the total rests on */
    double error;   /* heap: its standard error, in the profile's unit; CPU: 0, not known */
};

/* False for a profile that is exact, or of which it can't be told. r: open. */
bool report_precision(const struct report *r, struct report_precision *out);

/* Below this many samples a warning is given: a total is then off by 18 % as a rule. */
#define REPORT_FEW_SAMPLES 30

/* Tells r->o.notice when the rows shown rest on few samples. shown: their sum of flat. */
void report_warn_of_few_samples(const struct report *r, int64_t shown);

#endif
