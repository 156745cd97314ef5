/*
 * The threads profile: at a dump each thread of the process is signalled and
 * enters its own stack into the thread table. Threads that don't answer within the deadline (they
 * block everything, or can't be interrupted) still have their state in there.
 */
#ifndef LIBPROF_SAMPLE_WALK_H
#define LIBPROF_SAMPLE_WALK_H

#include <ucontext.h>

/*
 * Has all threads but the caller's write their stacks; waits up to a second for
 * those that can. Context: the bare thread (dump/), raw system calls only.
 */
void walk_collect(void);

/* The signalled thread's part. Handler context. */
void walk_answer(const ucontext_t *context);

#endif
