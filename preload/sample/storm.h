/*
 * Storms: a thread that waits again and again, each time for a moment. What a look at
 * a wait costs (two clocks, the table of waiters) is then more than the wait itself, and
 * worse, it is paid between two threads that hand a lock to each other. So in a storm
 * one in STORM_WEIGHT is looked at and stands for that many: the weight is known
 * before the wait, so sums stay unbiased. The others are watched by the processor's counter
 * alone, lest a long one among them be lost, or counted STORM_WEIGHT times.
 *
 * What is drawn is a wait, or, for mutexes, a call that may have to wait: one that isn't
 * drawn then needs no attempt before the real call (hooks/mutex.c says why that counts).
 *
 * One storm for each thread, in its state; all zero is a new one. Context: hooks.
 */
#ifndef LIBPROF_SAMPLE_STORM_H
#define LIBPROF_SAMPLE_STORM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The processor's counter: 64 bits that count at a constant rate (x86-64: Intel SDM
 * vol. 3, 18.17; aarch64: Arm ARM D12.1), no call and no memory. What it counts is compared,
 * never shown.
 *
 * A window in which waits are counted is 1 to 4 ms at 1 to 4 GHz on x86-64, and 0.3 to
 * 10 ms with aarch64's 1 GHz to 25 MHz; a wait is long from 4 of them on.
 */
#if defined(__x86_64__)
#define STORM_WINDOW_SHIFT 22
static inline uint64_t storm_ticks(void)
{
    return __builtin_ia32_rdtsc();
}
#elif defined(__aarch64__)
#define STORM_WINDOW_SHIFT 18
static inline uint64_t storm_ticks(void)
{
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}
#else
#error "no counter known for this processor"
#endif
#define STORM_LONG (UINT64_C(4) << STORM_WINDOW_SHIFT)

/* A thread that waits more than this often in a window is in a storm. */
#define STORM_WAITS 16
#define STORM_WEIGHT 64
/* From then on so many blocks of STORM_WEIGHT calls are drawn from, one call of each; fewer
 * when the window is over. */
#define STORM_BLOCKS 250

enum { STORM_CALM = -1, STORM_ASK = 0 };

struct storm {
    uint64_t ticks, ns;     /* one moment by the counter and by CLOCK_MONOTONIC */
    uint32_t window, count; /* the present one, modulo 2^32, and its waits looked at */
    uint32_t draws;         /* random bits left, and a 1 above them */
    int32_t skip;           /* calls to pass before the next that is drawn, or STORM_... */
    uint8_t rest;           /* calls that its block has after that one */
    uint8_t blocks;         /* left */
};

/* How many waits the one that begins at `ticks` stands for; 0: it is only watched. */
unsigned storm_weigh(struct storm *storm, uint64_t ticks);

/* Is this a call that was drawn (it stands for STORM_WEIGHT), skip being STORM_ASK? If not, the
 * storm is over. */
bool storm_draw_call(struct storm *storm, uint64_t ticks);

/* Notes what both clocks say now. To be called for waits that are looked at. */
static inline void storm_note(struct storm *storm, uint64_t ticks, uint64_t ns)
{
    storm->ticks = ticks;
    storm->ns = ns;
}

/* ns from `ticks`, later than the last note, to now, of which both clocks are given. */
uint64_t storm_ns(const struct storm *storm, uint64_t ticks, uint64_t now_ticks, uint64_t now_ns);

#endif
