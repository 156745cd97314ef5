/* The report of prof memory. */
#ifndef COLLECTOR_MEMORY_RESIDENT_H
#define COLLECTOR_MEMORY_RESIDENT_H

#include <stdio.h>
#include <sys/types.h>

#include "base/error.h"
#include "profile/profile.h"

/*
 * Prints a table of owners whose sum is the resident set. heap: the process's heap profile of now,
 * if a collector has one; it divides malloc's part. NULL: none. False with *err.
 */
bool resident_print(pid_t pid, const struct profile *heap, FILE *out, struct error *err);

#endif
