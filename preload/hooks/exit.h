/* The dump at the end of the process. Constructor only, in a process that is
 * profiled. */
#ifndef LIBPROF_HOOKS_EXIT_H
#define LIBPROF_HOOKS_EXIT_H

/* Registers the dump, if LIBPROF_AT_EXIT asks for one. */
void exit_start(void);

/* The same in an injected library: what is registered goes with the library. */
void exit_start_injected(void);

#endif
