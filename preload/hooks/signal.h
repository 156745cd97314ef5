/* Our handlers, installed. Constructor only, in a process that is profiled. */
#ifndef LIBPROF_HOOKS_SIGNAL_H
#define LIBPROF_HOOKS_SIGNAL_H

void signal_start(void);

#endif
