/*
 * Not a test: what a walk costs, warm, beside libunwind's and a frame pointer
 * walk.  bench_unwind_walk [ROUNDS]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "own_stack.h"
#include "reference.h"
#include "unwind/cache.h"

#include <time.h>

static unsigned rounds = 20000;
static struct unwind_stack stack;

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double best(void (*run)(void))
{
    double least = 1e18;
    for (int i = 0; i < 15; i++) {
        double start = now();
        for (unsigned n = 0; n < rounds; n++)
            run();
        double each = (now() - start) / rounds;
        least = each < least ? each : least;
    }
    return least;
}

static uint64_t frames[UNWIND_MAX_DEPTH];
static unsigned count;
static ucontext_t context;

__attribute__((noinline)) static void run_here(void)
{
    enum unwind_end end;
    count = unwind_here(&stack, frames, UNWIND_MAX_DEPTH, &end);
}

__attribute__((noinline)) static void run_context(void)
{
    enum unwind_end end;
    count = unwind_context(&context, &stack, frames, UNWIND_MAX_DEPTH, &end);
}

/* Every rule read from the tables anew. */
__attribute__((noinline)) static void run_cold(void)
{
    enum unwind_end end;
    for (unsigned i = 0; i < count; i++)
        cache_set_of(UNWIND_ADDRESS(frames[i]))->way[0].tag = 0;
    count = unwind_context(&context, &stack, frames, UNWIND_MAX_DEPTH, &end);
}

__attribute__((noinline)) static void run_backtrace(void)
{
    count = (unsigned)unw_backtrace((void **)frames, UNWIND_MAX_DEPTH);
}

__attribute__((noinline)) static void run_steps(void)
{
    count = reference_walk(&context, frames, UNWIND_MAX_DEPTH);
}

static void report(const char *name, void (*run)(void))
{
    run();
    double each = best(run);
    printf("%-28s %4u frames %9.1f ns  %7.2f ns/frame\n", name, count, each, each / count);
}

__attribute__((noinline)) static int measure(void)
{
    getcontext(&context);
    report("cfi unwind_here", run_here);
    report("cfi unwind_context", run_context);
    report("libunwind unw_backtrace", run_backtrace);
    unsigned saved = rounds;
    rounds = rounds / 50 + 1;
    report("cfi, cold", run_cold);
    report("libunwind unw_step", run_steps);
    rounds = saved;
    return (int)count;
}

/* Several functions, so that not one cache entry serves every frame. */
#define LEVEL(name, next, pad)                                                                     \
    __attribute__((noinline)) static int name(int depth)                                           \
    {                                                                                              \
        volatile int room[pad];                                                                    \
        room[depth % (pad)] = depth;                                                               \
        return (depth <= 0 ? measure() : next(depth - 1)) + room[depth % (pad)];                   \
    }
static int level0(int depth);
LEVEL(level9, level0, 3)
LEVEL(level8, level9, 17)
LEVEL(level7, level8, 5)
LEVEL(level6, level7, 40)
LEVEL(level5, level6, 8)
LEVEL(level4, level5, 2)
LEVEL(level3, level4, 12)
LEVEL(level2, level3, 6)
LEVEL(level1, level2, 24)
LEVEL(level0, level1, 9)

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = (unsigned)atoi(argv[1]);
    stack = own_stack();
    unwind_init(UNWIND_CFI);
    static const int depths[] = {5, 25, 120};
    for (int i = 0; i < 3; i++)
        level0(depths[i]);
    return 0;
}
