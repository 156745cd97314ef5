/*
 * Where a walk stands. Private to preload/unwind/.
 *
 *   walk.c    the loop: one probe of the cache for each frame
 *   step.c    everything else: odd rules, the full register set
 *   tables.c  rules that the cache doesn't have
 *   guess.c   frames without tables
 */
#ifndef LIBPROF_UNWIND_WALK_STATE_H
#define LIBPROF_UNWIND_WALK_STATE_H

#include "unwind/arch.h"
#include "unwind/self.h"
#include "unwind/stack_memory.h"
#include "unwind/unwind.h"

enum walk_status { WALK_ON, WALK_COMPLETE, WALK_BROKEN };

/*
 * The loop follows three registers only. A rule that needs another one (a CFA
 * based on rbx, as in the loader's lazy binding) is rare, and then the walk is
 * repeated from `anchor`, the last place where every register was known.
 */
struct walk {
    struct memory memory;
    uintptr_t lookup; /* the frame's address: PC if exact, return address - 1 otherwise */
    uintptr_t sp, fp;
    bool exact;
    bool by_frame_pointer; /* the fp engine: no tables */
    unsigned skip;         /* frames at the top that are libprof's by their position */
    unsigned steps;        /* frames unwound so far */
    struct arch_regs anchor;
    unsigned anchor_steps;
    bool anchor_exact;
    bool anchor_valid;
    bool lacks_registers; /* a frame would have needed the anchor, and there was none */
};

/* A bound on the frames looked at, those left out included. */
#define WALK_MAX_STEPS (2 * UNWIND_MAX_DEPTH)

/* The engine in force; written by unwind_init, and by tests. */
extern enum unwind_engine walk_engine;

/* Libprof is compiled without frame pointers: its own frames go by its tables
 * with the fp engine, too. */
static inline bool walk_is_own(const struct walk *walk)
{
    return walk->steps < walk->skip || self_holds(walk->lookup);
}

#endif
