/*
 * Allocators that symbol order alone doesn't bring to libprof: one that stands before it in the
 * search order, or one behind it whose C++ operators don't go through malloc.
 */
#ifndef LIBPROF_HOOKS_ALLOCATOR_H
#define LIBPROF_HOOKS_ALLOCATOR_H

/* Points the loaded objects' slots (slots/rebind.h) at libprof's functions where this process
 * has such an allocator. Constructor only. */
void allocator_rebind(void);

#endif
