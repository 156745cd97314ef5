/* Rules, memos and modules: walks in all threads, while libraries come and go. */
#include "../unwind/own_stack.h"
#include "stress.h"
#include "unwind/cache.h"
#include "unwind/module.h"
#include "unwind/unwind.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES 200000
#define WALKS 3000
#define LOADS 60
#define TURNS 5000

static uint64_t rule_of(uintptr_t pc)
{
    return pc * UINT64_C(0xd1342543de82ef95) | 1;
}

/* PCs that share few sets of the cache: a rule found is the PC's, whole. */
static void fill_cache(unsigned thread, void *unused)
{
    uint64_t seed = thread;
    unsigned found = 0;
    (void)unused;
    for (unsigned n = 0; n < ENTRIES; n++) {
        uint32_t random = stress_random(&seed);
        uintptr_t pc = (uintptr_t)(random >> 8 & 0xff) << 20 | (random & 7);
        uint64_t rule = cache_find(pc);
        if (rule) {
            stress_check(rule == rule_of(pc));
            found++;
        }
        cache_enter(pc, rule_of(pc));
    }
    stress_check(found > 0);
}

static void take_memos(unsigned thread, void *unused)
{
    (void)unused;
    for (unsigned n = 0; n < TURNS; n++) {
        struct unwind_memo *memo = unwind_memo_take();
        stress_check(memo != NULL);
        if (!memo)
            return;
        *(unsigned char *)memo = (unsigned char)thread;
        sched_yield();
        stress_check(*(unsigned char *)memo == thread);
        unwind_memo_give(memo);
    }
}

__attribute__((noinline)) static void compare(const struct unwind_stack *plain,
                                              const struct unwind_stack *remembering)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    uint64_t expected[64], found[64], hash, same_hash;
    enum unwind_end end, again;
    unsigned count = unwind_from(&origin, plain, expected, 64, &end, &hash);
    stress_check(count == unwind_from(&origin, remembering, found, 64, &again, &same_hash));
    stress_check(end == again && hash == same_hash);
    stress_check(count > 1 && memcmp(expected, found, count * sizeof *found) == 0);
}

__attribute__((noinline)) static void
descend(const struct unwind_stack *plain, const struct unwind_stack *remembering, unsigned depth)
{
    if (depth > 0)
        descend(plain, remembering, depth - 1);
    else
        compare(plain, remembering);
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

static void walk_in_library(void *data)
{
    const struct unwind_stack *stack = data;
    uint64_t frames[64];
    enum unwind_end end;
    unsigned count = unwind_here(stack, frames, 64, &end);
    const struct module *module = count > 1 ? module_get(UNWIND_MODULE(frames[1])) : NULL;
    stress_check(module && strstr(module->path, "unwind_plugin_"));
    stress_check(end == UNWIND_COMPLETE);
}

static void load_and_walk(unsigned thread, void *unused)
{
    struct unwind_stack plain = own_stack(), remembering = plain;
    uint64_t seed = thread;
    (void)unused;
    remembering.memo = unwind_memo_take();
    if (thread > 1) {
        for (unsigned n = 0; n < WALKS; n++)
            descend(&plain, &remembering, stress_random(&seed) % 30);
    } else {
        for (unsigned n = 0; n < LOADS; n++) {
            void *plugin = dlopen(thread ? PLUGIN_A : PLUGIN_B, RTLD_NOW);
            long (*call)(void (*)(void *), void *) = NULL;
            if (plugin)
                *(void **)&call = dlsym(plugin, "plugin_call");
            stress_check(call != NULL);
            if (!call)
                break;
            call(walk_in_library, &plain);
            module_before_unload();
            dlclose(plugin);
            module_after_unload();
        }
    }
    unwind_memo_give(remembering.memo);
}

int main(void)
{
    unwind_init(UNWIND_CFI);
    stress_run(fill_cache, NULL);
    memset(cache_sets, 0, sizeof cache_sets);
    stress_run(take_memos, NULL);
    stress_run(load_and_walk, NULL);
    fprintf(stderr, "%u modules\n", module_count() - 1);
    return stress_result();
}
