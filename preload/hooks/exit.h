/* The dump at the end of the process. Constructor only, in a process that is
 * profiled. */
#ifndef LIBPROF_HOOKS_EXIT_H
#define LIBPROF_HOOKS_EXIT_H

void exit_start(void);

#endif
