/*
 * Frames that no table covers: JIT code, hand-written assembly, trampolines.
 * Private to preload/unwind/.
 */
#ifndef LIBPROF_UNWIND_GUESS_H
#define LIBPROF_UNWIND_GUESS_H

#include "unwind/walk_state.h"

/* One step where no table covers the PC. In and out: regs' PC, SP and FP (all of
 * them above a signal trampoline), *exact. */
enum walk_status guess_step(struct arch_regs *regs, bool *exact, struct memory *memory,
                            unsigned module);

/* If the PC is the kernel's signal trampoline: to the registers that the signal
 * interrupted, exact. */
bool guess_signal_step(struct arch_regs *regs, bool *exact, struct memory *memory);

#endif
