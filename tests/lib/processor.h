/* For programs whose threads fight: two on one processor take turns instead. */
#ifndef TESTS_LIB_PROCESSOR_H
#define TESTS_LIB_PROCESSOR_H

#include <sched.h>

/* Binds the calling thread to one of the processors it may use; wanted: which, modulo
 * their number. */
static inline void processor_take(unsigned wanted)
{
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof all, &all);
    wanted %= (unsigned)CPU_COUNT(&all);
    CPU_ZERO(&one);
    for (unsigned n = 0; n < CPU_SETSIZE; n++)
        if (CPU_ISSET(n, &all) && wanted-- == 0)
            CPU_SET(n, &one);
    sched_setaffinity(0, sizeof one, &one);
}

#endif
