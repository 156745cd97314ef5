/*
 * The stacks of all threads of any process, preloaded or not, or of a core file:
 * a threads profile made from outside, by libdwfl (elfutils), which reads both.
 */
#ifndef COLLECTOR_OUTSIDE_OUTSIDE_H
#define COLLECTOR_OUTSIDE_OUTSIDE_H

#include <sys/types.h>

#include "profile/profile.h"

/*
 * Each thread is stopped (ptrace(2)) only while its own frames are read. NULL with
 * *err filled in: no such process, not allowed, already traced.
 * Samples have the labels thread, tid, state and wait, as a dump's.
 */
struct profile *outside_process(pid_t pid, struct error *err);

/* A core file; the files of its program and libraries are found by their build
 * ids and names. Labels: tid. */
struct profile *outside_core(const char *path, struct error *err);

#endif
