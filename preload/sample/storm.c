#include "sample/storm.h"
#include "sample/thread.h"

#define DRAW_BITS 6
_Static_assert(STORM_WEIGHT == 1 << DRAW_BITS, "a draw is one of so many");
#define ALL_DRAWS (1u << 4 * DRAW_BITS)

/* 0 to STORM_WEIGHT - 1, each as likely. */
static unsigned draw(struct storm *storm)
{
    if (storm->draws <= 1) /* all are used up */
        storm->draws = ALL_DRAWS | ((uint32_t)(thread_uniform() * ALL_DRAWS) & (ALL_DRAWS - 1));
    unsigned drawn = storm->draws % STORM_WEIGHT;
    storm->draws /= STORM_WEIGHT;
    return drawn;
}

/* The next block of calls, of which any may be the one. */
static void start_block(struct storm *storm)
{
    unsigned drawn = draw(storm);
    storm->skip = (int32_t)(storm->rest + drawn);
    storm->rest = (uint8_t)(STORM_WEIGHT - 1 - drawn);
}

static uint32_t window_of(uint64_t ticks)
{
    return (uint32_t)(ticks >> STORM_WINDOW_SHIFT);
}

unsigned storm_weigh(struct storm *storm, uint64_t ticks)
{
    if (storm->window != window_of(ticks)) {
        storm->window = window_of(ticks);
        storm->count = 0;
    }
    if (storm->count < STORM_WAITS) {
        storm->count++;
        return 1;
    }
    if (storm->blocks == 0) {
        storm->blocks = STORM_BLOCKS;
        start_block(storm);
    }
    return draw(storm) == 0 ? STORM_WEIGHT : 0;
}

bool storm_draw_call(struct storm *storm, uint64_t ticks)
{
    if (storm->blocks == 0) {
        storm->skip = STORM_CALM;
        return false;
    }
    /* How many blocks there are is settled before their calls are: no call's chance
     * depends on what comes of it. */
    if (storm->window != window_of(ticks))
        storm->blocks = 1;
    if (--storm->blocks) {
        start_block(storm);
    } else {
        storm->skip = storm->rest;
        storm->rest = 0;
    }
    return true;
}

uint64_t storm_ns(const struct storm *storm, uint64_t ticks, uint64_t now_ticks, uint64_t now_ns)
{
    double wait = (double)(now_ticks - ticks), whole = (double)(now_ticks - storm->ticks);
    /* Counters that differ between processors, or a virtual machine that was moved. */
    double share = wait > whole ? 1 : wait / whole;
    return (uint64_t)(share * (double)(now_ns - storm->ns));
}
