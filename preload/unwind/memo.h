/*
 * What the last walk of a thread went through, so that the next one need not
 * unwind again what hasn't changed. Private to preload/unwind/; unwind.h has
 * the part for callers.
 *
 * The outer frames of a stack stay what they are while inner ones come and go.
 * A frame is a function of the state it is entered with (return address, stack
 * pointer, frame pointer) and of the two words it is left by; where all of those
 * are as they were, so are its caller's state and its place in the stack. To
 * compare them takes no dependent loads: a frame costs the throughput of a few
 * instructions, where to unwind it costs the latency of a chain of three loads.
 */
#ifndef LIBPROF_UNWIND_MEMO_H
#define LIBPROF_UNWIND_MEMO_H

#include "unwind/walk.h"

/*
 * Walks plain frames on the thread's own stack as walk_warm does, by the memo
 * where it holds, libprof's own left out, and keeps what it finds. Returns the
 * number of frames written; the walk then stands on the first one that is not
 * plain, or on the first that found no room.
 */
unsigned memo_walk(struct unwind_memo *memo, struct walk *walk, uint64_t *frames, unsigned max);

/* fork's child: the parent's other threads and their memos aren't here. */
void memo_after_fork_child(void);

#endif
