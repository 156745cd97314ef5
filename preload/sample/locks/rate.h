/*
 * Time-proportional sampling, Go's rule since 1.17 (runtime/mprof.go, saveblockevent): an event
 * that lasts `rate` or longer is recorded as it is; a shorter one with probability ns/rate,
 * and then stands for rate/ns events that last `rate` together. So sums and counts are
 * unbiased, and what is recorded is about one event for each `rate` of time.
 */
#ifndef LIBPROF_SAMPLE_LOCKS_RATE_H
#define LIBPROF_SAMPLE_LOCKS_RATE_H

#include <stdint.h>

/*
 * From which length on an event is recorded; uniform: a random number in (0, 1]. An event of
 * whole ns is that long with probability ns/rate exactly. (Go's comparison lets (ns + 1)/rate
 * pass: 3 % too many at the 30 ns that a lock in a storm takes.) rate 0: none is.
 */
static inline uint64_t rate_threshold(double uniform, uint64_t rate)
{
    return rate ? (uint64_t)(uniform * (double)rate) + (uniform < 1) : UINT64_MAX;
}

struct rate_record {
    uint64_t count, ns;
};

/* What an event, or `count` of them, of ns together comes to when it is recorded. */
static inline struct rate_record rate_scale(uint64_t count, uint64_t ns, uint64_t rate)
{
    if (ns >= rate)
        return (struct rate_record){count, ns};
    return (struct rate_record){(uint64_t)((double)count * (double)rate / (double)ns + 0.5), rate};
}

#endif
