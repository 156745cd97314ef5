/*
 * Counter planes: a thread gets a plane of the ledger's counters for itself, so that its
 * additions need no locked instruction and share no cache line. The last plane serves all
 * threads that found none free.
 *
 * Proof that a plane has one owner: a plane is a bit of one word, set by compare-and-exchange
 * from clear, and cleared by its owner alone. The word names the process (its epoch) beside
 * the bits, so a forked child's first exchange starts from an empty mask.
 *
 * Context: AS-safe, lock-free.
 */
#ifndef LIBPROF_SAMPLE_CORE_PLANES_H
#define LIBPROF_SAMPLE_CORE_PLANES_H

#include "sample/core/thread.h"
#include <stdbool.h>

/* How many planes the ledger has: 1..LEDGER_PLANES_MAX. Constructor only. */
void planes_start(unsigned wanted);
unsigned planes_count(void);

/* Gives the calling thread a plane of its own, or the shared one. self->epoch is set. */
void planes_take(struct thread_state *self);

/* The shared plane from now on. */
void planes_share(struct thread_state *self);

/* Takes the thread's own plane back. present: its state belongs to this process, not to the
 * one that forked it; else nothing happens. */
void planes_give(struct thread_state *self, bool present);

#endif
