/*
 * A frame of a stack, as the walker writes it, the ledger keeps it and both sides read it.
 *
 * A frame is 64 bits: the address in the low 48, the index of the module it
 * lies in (module.h; 0 = none known) in the high 16. Because the module travels
 * with the address, a stack keeps its meaning after dlclose, even when another
 * library takes the same place.
 *
 * Addresses are call addresses: the exact PC for a frame that was interrupted
 * (the leaf of a signal context, the frame above a signal trampoline), the
 * return address - 1 for every other frame (profile.proto's convention).
 *
 * Constants and types only: any context.
 */
#ifndef LIBPROF_WIRE_FRAME_H
#define LIBPROF_WIRE_FRAME_H

#include <stdint.h>

#define UNWIND_MAX_DEPTH 1024

#define UNWIND_ADDRESS_BITS 48
#define UNWIND_ADDRESS(frame) ((frame) & ((UINT64_C(1) << UNWIND_ADDRESS_BITS) - 1))
#define UNWIND_MODULE(frame) ((unsigned)((frame) >> UNWIND_ADDRESS_BITS))

/* How a walk ended. */
enum unwind_end {
    UNWIND_COMPLETE,  /* at the outermost frame: _start, a thread's start, an undefined RA */
    UNWIND_TRUNCATED, /* at `max` frames: there are more */
    UNWIND_BROKEN,    /* lost: no rule, or memory that could not be read */
};

#endif
