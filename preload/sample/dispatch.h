/*
 * What is done when our signal (sample/core/own_signal.h) comes: a CPU sample, an answer to the
 * threads profile, a request from outside. A signal of the same number that is the program's
 * goes on to the program.
 */
#ifndef LIBPROF_SAMPLE_DISPATCH_H
#define LIBPROF_SAMPLE_DISPATCH_H

#include "wire/handover.h"
#include <signal.h>
#include <stdbool.h>

/* Chooses the signal and installs the handler, once. Called by the profiler's start. */
void dispatch_start(bool active);

/* The signal is no longer ours (signals_disown). With no other thread running. */
void dispatch_stop(void);

/* What is to be done when somebody outside asks (wire/handover.h). Set by the constructor
 * only; NULL = nothing. */
extern void (*dispatch_asked)(enum handover_ask ask);

/*
 * For a wait for signals that named ours: was it one of ours that came? It is handled then,
 * as if nobody had waited, or dropped where the thread gave way to the program's.
 * Hook context.
 */
bool dispatch_waited_for(const siginfo_t *info);

/*
 * The thread no longer believes our signal blocked, nor is it: it is sampled again, if it had
 * given way to one of the program's (thread_self.really_blocked). Hook context.
 */
void dispatch_take_back(void);

#endif
