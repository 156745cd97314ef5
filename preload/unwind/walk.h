/*
 * What the parts of the walker share. Private to preload/unwind/.
 *
 *   walk.c   the loop: one probe of the cache for each frame
 *   step.c   everything else: misses, odd rules, the full register set
 *   guess.c  frames without tables
 */
#ifndef LIBPROF_UNWIND_WALK_H
#define LIBPROF_UNWIND_WALK_H

#include "unwind/arch.h"
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

/* One step by any rule. rule: as found in the cache, or 0. *module: that of the
 * frame left. On WALK_ON the walk stands on the caller's frame. */
enum walk_status step_any(struct walk *walk, uint64_t rule, unsigned *module);

/* One step where no table covers the PC. In and out: regs' PC, SP and FP (all of
 * them above a signal trampoline), *exact. */
enum walk_status guess_step(struct arch_regs *regs, bool *exact, struct memory *memory,
                            unsigned module);

/* Do tables cover this PC? (By the cache, or by reading them.) */
bool step_has_tables(uintptr_t pc, struct effort *effort);

/* If the PC is the kernel's signal trampoline: to the registers that the signal
 * interrupted, exact. */
bool guess_signal_step(struct arch_regs *regs, bool *exact, struct memory *memory);

/* The engine in force; written by unwind_init only. */
extern enum unwind_engine walk_engine;

/* libunwind.c. load: constructor only; false: there is no usable library.
 * walk: not AS-safe (libunwind takes locks), and takes more stack than 4 KiB. */
bool libunwind_load(void);
unsigned libunwind_walk(const struct arch_regs *regs, unsigned skip, uint64_t *frames, unsigned max,
                        enum unwind_end *end);

/* Is it an address of libprof's own code? */
extern uintptr_t walk_self_low, walk_self_size;
static inline bool walk_is_self(uintptr_t address)
{
    return address - walk_self_low < walk_self_size;
}

/* Libprof is compiled without frame pointers: its own frames go by its tables
 * with the fp engine, too. */
static inline bool walk_is_own(const struct walk *walk)
{
    return walk->steps < walk->skip || walk_is_self(walk->lookup);
}

#endif
