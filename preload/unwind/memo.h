/*
 * The frames that a thread's walks went through lately, so that the next one need not
 * unwind them again. Private to preload/unwind/; unwind.h has the part for callers.
 *
 * A program goes the same ways again and again, to the same places of its stack. A frame
 * is a function of the state it is entered with (return address, stack pointer, frame
 * pointer) and of the two words it is left by; where all of those are as they were, so is its
 * caller's state, which is that of the frame it is linked to. Two words to compare
 * and a link take a third of what it takes to unwind a frame.
 */
#ifndef LIBPROF_UNWIND_MEMO_H
#define LIBPROF_UNWIND_MEMO_H

#include "unwind/plain.h"
#include "unwind/walk_state.h"

/*
 * Walks plain frames on the thread's own stack as walk_warm does, from *state, by stack->memo
 * where it holds, and keeps what it finds. *written: how many frames. *state then is that of the
 * first frame that is not plain, or found no room, or WALK_COMPLETE is returned. *hash: the
 * frames', if there is no more to come: WALK_COMPLETE, or `max` of them.
 */
enum walk_status memo_walk(const struct unwind_stack *stack, struct plain_state *state,
                           uint64_t *frames, unsigned max, unsigned *written, uint64_t *hash);

/* fork's child: the parent's other threads and their memos aren't here. */
void memo_after_fork_child(void);

#endif
