/*
 * The threads profile: at a dump the stack of each thread that waits is read from outside
 * (waiting.h); the others are signalled and enter their own into the thread table. A thread that
 * can't answer (it blocks everything, is stopped, or sleeps uninterruptibly) is in there too, with
 * its state, its system call and where in the kernel it waits.
 */
#ifndef LIBPROF_SAMPLE_THREADS_ASK_H
#define LIBPROF_SAMPLE_THREADS_ASK_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/*
 * Has all threads write their stacks; waits for those that can, up to a second.
 * A new number in ledger->walk marks what belongs to this request. Context: the
 * bare thread (dump/); raw system calls, no thread-local storage.
 */
void ask_all_threads(void);

/* Which threads are libprof's and aren't asked. Constructor only. */
void ask_set_own(bool (*is_own)(uint32_t tid));

/* The signalled thread's part. Handler context. */
void ask_answer(const ucontext_t *context);

#endif
