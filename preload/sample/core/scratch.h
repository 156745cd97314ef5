/*
 * Room for the frames of one walk. Up to SCRATCH_INLINE frames stand on the
 * caller's stack; deeper ones (LIBPROF_DEPTH up to 1024, 8 KiB) would be too much for
 * the small stacks that hooks and handlers run on (hazard 9) and come from a
 * small shared pool; when that is exhausted the walk is cut at SCRATCH_INLINE.
 *
 * Context: AS-safe, lock-free.
 */
#ifndef LIBPROF_SAMPLE_CORE_SCRATCH_H
#define LIBPROF_SAMPLE_CORE_SCRATCH_H

#include <stdint.h>

#define SCRATCH_INLINE 128

struct scratch {
    uint64_t *frames;
    unsigned max;  /* entries at frames */
    unsigned slot; /* of the pool, + 1; 0 = inline */
    uint64_t inline_frames[SCRATCH_INLINE];
};

/* Room for `depth` frames, or for SCRATCH_INLINE where the pool is exhausted; scratch_close gives
 * it back. */
void scratch_open(struct scratch *scratch, unsigned depth);
/* Takes libprof's own frames out of a walked stack (a hook that waits in the real
 * function): the new depth. */
unsigned scratch_drop_own(struct scratch *scratch, unsigned depth);

/* Gives the room back. */
void scratch_close(struct scratch *scratch);

/* In a forked child: the walks of the parent's other threads never end. */
void scratch_reset(void);

#endif
