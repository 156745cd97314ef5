/* prof list --asm: the functions' machine code with what each instruction costs. */
#ifndef COLLECTOR_CLI_LIST_ASM_H
#define COLLECTOR_CLI_LIST_ASM_H

#include "cli/run_report.h"

/* A report_fn; the report is open with PROFILE_ADDRESSES and without inlines. */
bool list_asm(struct report *r, const char *symbol, FILE *out, struct error *err);

#endif
