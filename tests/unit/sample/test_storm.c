/*
 * What is drawn in a storm of waits, and what it is made to stand for: the sums must come
 * out right. The generator is the test's own, so a run can be repeated.
 */
#include "sample/locks/rate.h"
#include "sample/locks/storm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS 200

static uint64_t generator;

static uint64_t next_random(void)
{
    uint64_t x = generator += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* sample/core/thread.c isn't linked: its generator's interface. */
double random_uniform(void);
double random_uniform(void)
{
    return (double)((next_random() >> 11) + 1) * 0x1p-53;
}

/* Is the mean of n estimates, of that spread, as far from the truth as chance allows? 4 sigma: a
 * right program fails once in 16,000 seeds, and these are always the same. */
static void assert_unbiased(double mean, double truth, double variance, unsigned n, const char *of)
{
    double sigma = sqrt(variance / n);
    print_message("%s: %.1f, true %.1f, sigma %.1f\n", of, mean, truth, sigma);
    assert_true(fabs(mean - truth) <= 4 * sigma);
    assert_true(sigma < truth / 50); /* or the test says nothing */
}

/* Draws waits themselves, as for all kinds of locks but mutexes. */
static void drawn_waits_keep_the_sum(void **state)
{
    enum { WAITS = 5000 };
    double sum = 0, truth = 0, variance = 0;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct storm storm = {0};
        generator = seed * 1000003;
        for (unsigned n = 0; n < WAITS; n++) {
            double ns = 100 + (n % 64 == 0 ? 5000 : n % 7 * 50); /* a rhythm of the weight's */
            unsigned weight = storm_weigh(&storm, 1);
            assert_true(n < STORM_WAITS ? weight == 1 : weight == 0 || weight == STORM_WEIGHT);
            sum += weight * ns;
            if (seed == 1) {
                truth += ns;
                variance += n < STORM_WAITS ? 0 : (STORM_WEIGHT - 1) * ns * ns;
            }
        }
    }
    assert_unbiased(sum / SEEDS, truth, variance, SEEDS, "waits");
}

static void a_new_window_is_calm(void **state)
{
    struct storm storm = {0};
    for (uint64_t window = 1; window < 100; window++)
        for (unsigned n = 0; n < STORM_WAITS; n++)
            assert_int_equal(storm_weigh(&storm, window << STORM_WINDOW_SHIFT), 1);
}

struct call {
    double weights, squares; /* what it stood for, in all runs */
};

/* A thread's calls of a mutex as hooks/mutex.c treats them, so many of them to a window: how often
 * call n waits, by its weight. Returns the sum. */
static double calls(unsigned count, unsigned in_window, double (*wait_of)(unsigned),
                    struct call *found)
{
    struct storm storm = {0};
    double sum = 0;
    for (unsigned n = 0; n < count; n++) {
        uint64_t ticks = ((uint64_t)(n + in_window) << STORM_WINDOW_SHIFT) / in_window;
        unsigned weight = 0;
        double wait = wait_of(n);
        if (storm.skip > 0)
            storm.skip--;
        else if (storm.skip == STORM_ASK)
            weight = storm_draw_call(&storm, ticks);
        if (storm.skip == STORM_CALM && wait > 0) /* only who waits asks */
            weight = storm_weigh(&storm, ticks);
        sum += weight * wait;
        if (found) {
            found[n].weights += weight;
            found[n].squares += (double)weight * weight;
        }
    }
    return sum;
}

static double every_call_waits(unsigned n)
{
    return 100 + n % 13 * 20;
}

static double one_in_rhythm_waits(unsigned n)
{
    return n % STORM_WEIGHT == 5 ? 3000 : n % 8 == 0 ? 50 : 0;
}

/* A burst, and then a rest in which the same thread waits seldom. */
static double bursts_wait(unsigned n)
{
    return n % 3000 < 800 ? 80 : n % 100 == 0 ? 400 : 0;
}

static void drawn_calls_keep_the_sum(void **state)
{
    static const struct {
        const char *name;
        double (*wait_of)(unsigned);
        unsigned in_window;
    } storms[] = {
        {"every call waits", every_call_waits, 1000000},
        {"a storm in three windows", every_call_waits, 5000},
        {"storms that end", every_call_waits, 70},
        {"a rhythm", one_in_rhythm_waits, 6000},
        {"a rhythm, storms that end", one_in_rhythm_waits, 300},
        {"bursts", bursts_wait, 1100},
    };
    enum { COUNT = 60000 };
    for (unsigned s = 0; s < sizeof storms / sizeof *storms; s++) {
        double sum = 0, squares = 0, truth = 0;
        for (unsigned n = 0; n < COUNT; n++)
            truth += storms[s].wait_of(n);
        for (unsigned seed = 1; seed <= 4 * SEEDS; seed++) {
            generator = seed * 7919;
            double one = calls(COUNT, storms[s].in_window, storms[s].wait_of, NULL);
            sum += one;
            squares += one * one;
        }
        double mean = sum / (4 * SEEDS), variance = squares / (4 * SEEDS) - mean * mean;
        assert_unbiased(mean, truth, variance, 4 * SEEDS, storms[s].name);
    }
}

/* Each call of the storm is as likely to be drawn as its weight says: none of a block is left out,
 * whether blocks grow, stay or shrink, and when the storm ends. */
static void each_call_has_its_chance(void **state)
{
    enum { COUNT = 4096, RUNS = 20000 };
    static const unsigned speeds[] = {1000000, 20000, 6000, 200}; /* calls to a window */
    for (unsigned s = 0; s < sizeof speeds / sizeof *speeds; s++) {
        static struct call found[COUNT];
        memset(found, 0, sizeof found);
        for (unsigned seed = 1; seed <= RUNS; seed++) {
            generator = seed * 104729;
            calls(COUNT, speeds[s], every_call_waits, found);
        }
        double chi = 0, freedom = 0;
        for (unsigned n = 0; n < COUNT; n++) {
            double weight = found[n].squares / found[n].weights, variance = RUNS * (weight - 1);
            if (weight < 2) /* the first are looked at nearly always */
                continue;
            double error = found[n].weights - RUNS;
            chi += error * error / variance;
            freedom++;
        }
        print_message("%u calls to a window: chi square %.0f of %.0f\n", speeds[s], chi, freedom);
        assert_true(freedom > COUNT / 2);
        assert_true(fabs(chi - freedom) < 5 * sqrt(2 * freedom));
    }
}

/* Draws are as far apart in a fast storm as in a slow one, as long as blocks can grow. */
static void draws_follow_the_clock(void **state)
{
    static const unsigned speeds[] = {200000, 12000, 6000, 3000}; /* calls to a window */
    enum { COUNT = 400000 };
    for (unsigned s = 0; s < sizeof speeds / sizeof *speeds; s++) {
        static struct call found[COUNT];
        memset(found, 0, sizeof found);
        generator = s;
        calls(COUNT, speeds[s], every_call_waits, found);
        unsigned drawn = 0, most = 0;
        for (unsigned n = COUNT / 2; n < COUNT; n++) {
            drawn += found[n].weights > 1;
            most = found[n].weights > most ? (unsigned)found[n].weights : most;
        }
        double draws = drawn / (COUNT / 2 / (double)speeds[s]);
        print_message("%u calls to a window: %.0f are drawn, up to %u of weight\n", speeds[s],
                      draws, most);
        if (speeds[s] > STORM_DRAWS * STORM_MAX_WEIGHT)
            assert_int_equal(most, STORM_MAX_WEIGHT);
        else
            assert_true(draws > STORM_DRAWS / 2. && draws < STORM_DRAWS * 2.);
    }
}

/* A thread that has come into a storm in window 1. */
static struct storm begun(void)
{
    const uint64_t ticks = UINT64_C(1) << STORM_WINDOW_SHIFT;
    struct storm storm = {0};
    assert_int_equal(storm_draw_call(&storm, ticks), 0);
    for (unsigned n = 0; n <= STORM_WAITS; n++)
        storm_weigh(&storm, ticks);
    assert_true(storm.skip != STORM_CALM);
    return storm;
}

/* Its waits for other things, of which there is one in each window, don't make it last. */
static void a_storm_has_an_end(void **state)
{
    struct storm storm = begun();
    uint64_t window = 1;
    while (storm.skip != STORM_CALM) {
        window++;
        assert_int_equal(storm_weigh(&storm, window << STORM_WINDOW_SHIFT), 1);
        for (unsigned n = 0; n < STORM_WEIGHT && storm.skip != STORM_CALM; n++) {
            if (storm.skip > 0)
                storm.skip--;
            else
                storm_draw_call(&storm, window << STORM_WINDOW_SHIFT);
        }
    }
    assert_true(window >= 1 + STORM_WINDOWS && window <= 1 + STORM_WINDOWS + 3);
}

static void a_wait_of_a_window_ends_it(void **state)
{
    struct storm storm = begun();
    storm_watched(&storm, STORM_LONG);
    assert_true(storm.skip != STORM_CALM);
    storm_watched(&storm, UINT64_C(1) << STORM_WINDOW_SHIFT);
    assert_int_equal(storm.skip, STORM_CALM);
    storm_watched(&storm, UINT64_C(1) << STORM_WINDOW_SHIFT);
    assert_int_equal(storm.skip, STORM_CALM);
}

static void a_long_wait_is_measured(void **state)
{
    struct storm storm = {0};
    storm_note(&storm, 1000000, 5000000);
    /* 2.5 ticks a ns: the wait began 1000 ns after the note */
    assert_int_equal(storm_ns(&storm, 1002500, 1002500 + 250000000, 5001000 + 100000000),
                     100000000);
    /* a counter that went back: no more than the time since the note */
    assert_int_equal(storm_ns(&storm, 900000, 1500000, 5000700), 700);
}

/* Go 1.17's saveblockevent: count += rate/cycles, cycles += rate; else 1 and cycles. */
static void gos_rule(void **state)
{
    static const struct {
        uint64_t ns, rate, count, recorded; /* count: of 1,000,000 for one event */
    } vectors[] = {
        {10000, 10000, 1000000, 10000},
        {25000, 10000, 1000000, 25000},
        {5000, 10000, 2000000, 10000},
        {1, 10000, 10000000000, 10000},
        {9999, 10000, 1000100, 10000},
        {30, 1000000, 33333333333, 1000000},
        {1, 1, 1000000, 1},
        {1000000000, 1, 1000000, 1000000000},
        {3, 7, 2333333, 7},
    };
    for (unsigned n = 0; n < sizeof vectors / sizeof *vectors; n++) {
        struct rate_record got = rate_scale(1000000, vectors[n].ns, vectors[n].rate);
        assert_int_equal(got.count, vectors[n].count);
        assert_int_equal(got.ns, vectors[n].recorded);
    }
}

/* Over all draws, an event of any length is worth its own time, and counts once. */
static void the_rule_is_unbiased(void **state)
{
    static const uint64_t rates[] = {1, 2, 7, 100, 1000};
    for (unsigned r = 0; r < sizeof rates / sizeof *rates; r++) {
        uint64_t rate = rates[r];
        for (uint64_t ns = 1; ns <= 2 * rate; ns++) {
            double sum = 0, count = 0;
            unsigned draws = (unsigned)rate * 4; /* in the middle of each part */
            for (unsigned n = 0; n < draws; n++) {
                if (ns >= rate_threshold((n + 0.5) / draws, rate)) {
                    struct rate_record got = rate_scale(1000000, ns, rate);
                    sum += (double)got.ns;
                    count += (double)got.count;
                }
            }
            assert_true(fabs(sum / draws - (double)ns) < 1e-6 * (double)ns);
            assert_true(fabs(count / draws - 1e6) < 1);
        }
        assert_true(rate_threshold(1, rate) == rate);
    }
    assert_true(rate_threshold(1, 0) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawn_waits_keep_the_sum),
        cmocka_unit_test(a_new_window_is_calm),
        cmocka_unit_test(drawn_calls_keep_the_sum),
        cmocka_unit_test(each_call_has_its_chance),
        cmocka_unit_test(draws_follow_the_clock),
        cmocka_unit_test(a_storm_has_an_end),
        cmocka_unit_test(a_wait_of_a_window_ends_it),
        cmocka_unit_test(a_long_wait_is_measured),
        cmocka_unit_test(gos_rule),
        cmocka_unit_test(the_rule_is_unbiased),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
