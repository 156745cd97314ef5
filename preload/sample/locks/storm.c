#include "sample/locks/storm.h"
#include "sample/core/random.h"

#define DRAW_BITS 6
_Static_assert(STORM_WEIGHT == 1 << DRAW_BITS, "a draw is one of so many");
#define ALL_DRAWS (1u << 4 * DRAW_BITS)

/* 0 to n - 1, each as likely; n: a power of two. */
static unsigned random_below(unsigned n)
{
    return (unsigned)(random_uniform() * n) & (n - 1); /* random_uniform's 1 is 0 here */
}

/* 0 to STORM_WEIGHT - 1, each as likely: for waits, of which each asks. */
static unsigned draw(struct storm *storm)
{
    if (storm->draws <= 1) /* all are used up */
        storm->draws = ALL_DRAWS | random_below(ALL_DRAWS);
    unsigned drawn = storm->draws % STORM_WEIGHT;
    storm->draws /= STORM_WEIGHT;
    return drawn;
}

/* The next block of calls, of which any may be the one. */
static void start_block(struct storm *storm, unsigned calls)
{
    unsigned drawn = random_below(calls);
    storm->skip = (int32_t)(storm->rest + drawn);
    storm->block = (uint16_t)calls;
    storm->rest = (uint16_t)(calls - 1 - drawn);
}

/* How many calls the next block has, by how long the last took. The size is known before the call
 * is drawn, so each has the chance that its weight stands for. */
static unsigned next_size(struct storm *storm, uint64_t ticks)
{
    uint32_t aim = (UINT32_C(1) << STORM_WINDOW_SHIFT) / STORM_DRAWS;
    uint32_t took = (uint32_t)ticks - storm->drawn_at;
    storm->drawn_at = (uint32_t)ticks;
    unsigned calls = storm->block;
    if (took < aim / 2 && calls < STORM_MAX_WEIGHT)
        return calls * 2;
    if (took > aim * 2 && calls > STORM_WEIGHT)
        return calls / 2;
    return calls;
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
    if (storm->skip == STORM_CALM) {
        storm->on = true;
        storm->since = (uint16_t)storm->window;
        storm->drawn_at = (uint32_t)ticks;
        start_block(storm, storm->block ? storm->block : STORM_WEIGHT);
    }
    return draw(storm) == 0 ? STORM_WEIGHT : 0;
}

unsigned storm_draw_call(struct storm *storm, uint64_t ticks)
{
    if (!storm->on) {
        storm->skip = STORM_CALM;
        return 0;
    }
    unsigned weight = storm->block;
    /* The rest of a block had its chance, so the storm goes on to its end. */
    storm->on = (uint16_t)(window_of(ticks) - storm->since) < STORM_WINDOWS;
    if (storm->on) {
        start_block(storm, next_size(storm, ticks));
    } else {
        storm->skip = storm->rest;
        storm->rest = 0;
    }
    return weight;
}

/* Whichever call is drawn, such a wait ends its block: the calls before it had their chance, those
 * after it are looked at. */
void storm_watched(struct storm *storm, uint64_t ticks)
{
    if (ticks >> STORM_WINDOW_SHIFT == 0)
        return;
    storm->on = false;
    storm->rest = 0;
    storm->skip = STORM_CALM;
}

uint64_t storm_ns(const struct storm *storm, uint64_t ticks, uint64_t now_ticks, uint64_t now_ns)
{
    double wait = (double)(now_ticks - ticks), whole = (double)(now_ticks - storm->ticks);
    /* Counters that differ between processors, or a virtual machine that was moved. */
    double share = wait > whole ? 1 : wait / whole;
    return (uint64_t)(share * (double)(now_ns - storm->ns));
}
