#ifndef LIBPROF_HOOKS_SIGNAL_H
#define LIBPROF_HOOKS_SIGNAL_H

/* Our handlers, installed. Constructor only, in a process that is profiled. */
void signal_start(void);

/* A small alternate stack is there: the program's handlers that may run on it (SA_ONSTACK) keep
 * the sampling signal out from here on. Hook context. */
void signal_block_on_alternate_stacks(void);

/* Only the one that asks for a dump (LIBPROF_SIGNAL). */
void signal_start_dumps(void);

/* Gives every signal back: dispositions are what the program believes them to be. Of ours
 * none is pending afterwards. With no other thread running. */
void signal_stop(void);

#endif
