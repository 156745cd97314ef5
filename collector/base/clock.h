/* The clocks, in nanoseconds (clock_gettime(2)). */
#ifndef COLLECTOR_BASE_CLOCK_H
#define COLLECTOR_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* For durations and deadlines: nobody sets it. */
static inline int64_t clock_monotonic(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* For dates: since 1970. */
static inline int64_t clock_realtime(void)
{
    return clock_ns(CLOCK_REALTIME);
}

#endif
