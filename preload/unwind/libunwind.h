/*
 * libunwind as an engine, by dlopen: the reference that the others are tested against.
 * Private to preload/unwind/.
 */
#ifndef LIBPROF_UNWIND_LIBUNWIND_H
#define LIBPROF_UNWIND_LIBUNWIND_H

#include "unwind/arch.h"
#include "unwind/unwind.h"
#include <stdbool.h>
#include <stdint.h>

/* load: constructor only; false: there is no usable library.
 * walk: not AS-safe (libunwind takes locks), and takes more stack than 4 KiB. */
bool libunwind_load(void);
unsigned libunwind_walk(const struct arch_regs *regs, unsigned skip, uint64_t *frames, unsigned max,
                        enum unwind_end *end);

#endif
