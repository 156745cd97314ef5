/* What the report commands have in common: load, open, print, close. */
#ifndef COLLECTOR_CLI_RUN_REPORT_H
#define COLLECTOR_CLI_RUN_REPORT_H

#include "cli/cli.h"

/* symbol: the command's function argument, or NULL. False with *err. */
typedef bool report_fn(struct report *r, const char *symbol, FILE *out, struct error *err);

/* The files start at argument `first`. Returns the exit status. */
int cli_run_report(struct cli_options *o, int first, const char *symbol, report_fn *print);

#endif
