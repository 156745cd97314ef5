/*
 * What a thread does, in a word, from what the kernel tells of it: in the threads
 * profile, and in the collector's look at other processes.
 *
 * Context: AS-safe, anywhere.
 */
#ifndef LIBPROF_WIRE_THREAD_STATE_H
#define LIBPROF_WIRE_THREAD_STATE_H

#include <stdint.h>

/* state: as in proc_pid_stat(5), R, S, D, T ...; syscall: its number, -1 = none or not
 * known. A static string. */
const char *thread_state_name(char state, int32_t syscall);

#endif
