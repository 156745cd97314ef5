/*
 * Random numbers for sampling, from the calling thread's own generator (thread_self.random).
 * Sequences are repeatable under LIBPROF_SEED. Not for secrets.
 *
 * Context: AS-safe. A handler that draws in the middle of a hook's draw may repeat a number.
 */
#ifndef LIBPROF_SAMPLE_CORE_RANDOM_H
#define LIBPROF_SAMPLE_CORE_RANDOM_H

#include <stdint.h>

/* A number in (0, 1], each as likely; 53 bits. */
double random_uniform(void);

/* An exponentially distributed number of the given mean, at least 1. */
int64_t random_exponential(uint64_t mean);

#endif
