/*
 * Storms: a thread that waits again and again, each time for a moment. What a look at
 * a wait costs (two clocks, the table of waiters) is then more than the wait itself, and
 * worse, it is paid between two threads that hand a lock to each other. So in a storm
 * one in so many is looked at and stands for that many: the weight is known
 * before the wait, so sums stay unbiased. The others are watched by the processor's counter
 * alone, lest a long one among them be lost, or counted that often.
 *
 * What is drawn is a wait, one in STORM_WEIGHT, or, for mutexes, a call that may have to wait: one
 * that isn't drawn then needs no attempt before the real call (hooks/mutex.c says why that counts).
 * Calls come in blocks, and of each block one is drawn. How large the next block is, the time since
 * the last draw says, so that draws are about as far apart in any storm.
 *
 * One storm for each thread, in its state; all zero is a new one. Context: hooks.
 */
#ifndef LIBPROF_SAMPLE_LOCKS_STORM_H
#define LIBPROF_SAMPLE_LOCKS_STORM_H

#include "kit/ticks.h"
#include "sample/core/thread.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * By the processor's counter (kit/ticks.h); what it counts is compared, never shown. A window in
 * which waits are counted is 1 to 4 ms at 1 to 4 GHz on x86-64, and 0.3 to 10 ms with aarch64's
 * 1 GHz to 25 MHz; a wait is long from a 16th of one on (65 to 260 us, 16 to 650 us).
 */
#if defined(__x86_64__)
#define STORM_WINDOW_SHIFT 22
#elif defined(__aarch64__)
#define STORM_WINDOW_SHIFT 18
#endif
#define STORM_LONG (UINT64_C(1) << (STORM_WINDOW_SHIFT - 4))
/* So many draws of calls in a window are aimed at. */
#define STORM_DRAWS 32

/* A thread that waits more than this often in a window is in a storm. */
#define STORM_WAITS 16
#define STORM_WEIGHT 64
/* From then on calls are drawn, until so many windows are over or a wait lasts one. Blocks have
 * STORM_WEIGHT calls at least, and up to STORM_MAX_WEIGHT: powers of two. */
#define STORM_WINDOWS 16
#define STORM_MAX_WEIGHT 512

enum { STORM_CALM = -1, STORM_ASK = 0 };

/* How many waits the one that begins at `ticks` stands for; 0: it is only watched. */
unsigned storm_weigh(struct storm *storm, uint64_t ticks);

/* How many calls does this one stand for, skip being STORM_ASK? 0: the storm is over, none is
 * drawn. */
unsigned storm_draw_call(struct storm *storm, uint64_t ticks);

/* A watched wait, drawn or not, has lasted so many ticks: after a window's the storm is over. */
void storm_watched(struct storm *storm, uint64_t ticks);

/* Notes what both clocks say now. To be called for waits that are looked at. */
static inline void storm_note(struct storm *storm, uint64_t ticks, uint64_t ns)
{
    storm->ticks = ticks;
    storm->ns = ns;
}

/* ns from `ticks`, later than the last note, to now, of which both clocks are given. */
uint64_t storm_ns(const struct storm *storm, uint64_t ticks, uint64_t now_ticks, uint64_t now_ns);

#endif
