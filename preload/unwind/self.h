/*
 * Which code is libprof's own: its frames are left out at the top of a stack. unwind_set_self
 * (unwind.h) sets it. Private to preload/unwind/.
 */
#ifndef LIBPROF_UNWIND_SELF_H
#define LIBPROF_UNWIND_SELF_H

#include <stdbool.h>
#include <stdint.h>

/* [low, low + size). Written before the first walk only. */
extern uintptr_t self_low, self_size;

/* Is it an address of libprof's own code? */
static inline bool self_holds(uintptr_t address)
{
    return address - self_low < self_size;
}

#endif
