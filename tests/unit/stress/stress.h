/* Many threads at one table. Each program runs twice: as it is, where its sums are the
 * test, and under ThreadSanitizer, where every unordered access is one. */
#ifndef LIBPROF_TESTS_STRESS_H
#define LIBPROF_TESTS_STRESS_H

#include <stdbool.h>
#include <stdint.h>

#define STRESS_THREADS 6 /* more than there are processors, so that some are interrupted */

/* Runs work(n, argument) in STRESS_THREADS threads that start together; returns when all
 * have ended. */
void stress_run(void (*work)(unsigned thread, void *argument), void *argument);

/* Fails the program, with the place, and goes on: threads may be at work. */
#define stress_check(condition) stress_judge(condition, #condition, __FILE__, __LINE__)
void stress_judge(bool good, const char *condition, const char *file, int line);

/* For main: 0, or 1 if a check has failed. */
int stress_result(void);

/* A repeatable stream for each thread (Knuth's MMIX generator). */
static inline uint32_t stress_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

#endif
