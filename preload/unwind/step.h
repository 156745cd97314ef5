/*
 * One step of a walk by any rule: odd frames, memory beyond the known stack, registers beyond
 * the three. Private to preload/unwind/.
 */
#ifndef LIBPROF_UNWIND_STEP_H
#define LIBPROF_UNWIND_STEP_H

#include "unwind/walk_state.h"

/* One step by any rule. rule: as found in the cache, or 0. *module: that of the
 * frame left. On WALK_ON the walk stands on the caller's frame. */
enum walk_status step_any(struct walk *walk, uint64_t rule, unsigned *module);

#endif
