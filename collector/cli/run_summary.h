/* What prof run says at the end. */
#ifndef COLLECTOR_CLI_RUN_SUMMARY_H
#define COLLECTOR_CLI_RUN_SUMMARY_H

#include "serve/collector_state.h"

/* A table on stderr of the processes that recorded something, the ones with the most
 * samples first; of more than twenty, a row for each program. Then where the profiles are.
 * pid, status: the program itself and how it ended. */
void run_summary(struct collector *collector, pid_t pid, int status, bool quiet);

#endif
