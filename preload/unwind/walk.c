#include "unwind/walk.h"
#include "unwind/cache.h"
#include "unwind/module_table.h"
#include "unwind/rule.h"
#include "unwind/unwind.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum unwind_engine walk_engine = UNWIND_CFI;
uintptr_t walk_self_low, walk_self_size;

static inline uint64_t make_frame(uintptr_t lookup, unsigned module)
{
    return (lookup & ((UINT64_C(1) << UNWIND_ADDRESS_BITS) - 1)) | (uint64_t)module
                                                                       << UNWIND_ADDRESS_BITS;
}

__attribute__((no_sanitize("address"), always_inline)) static inline uintptr_t
load(uintptr_t address)
{
    return *(const uintptr_t *)address;
}

/*
 * The loop. Its three registers and the trusted region stay in machine
 * registers; whatever isn't a plain, warm frame on the thread's own stack goes
 * through step_any, by way of *walk.
 * skip: frames at the top to leave out before looking whether they are libprof's.
 */
__attribute__((no_sanitize("address"))) static unsigned
walk_run(struct walk *walk, unsigned skip, uint64_t *frames, unsigned max, enum unwind_end *end)
{
    uintptr_t lookup = walk->lookup, sp = walk->sp, fp = walk->fp;
    uintptr_t low = walk->memory.low, span = walk->memory.span;
    bool first = walk->by_frame_pointer && walk->exact; /* a leaf, and no tables: a guess */
    bool leading = true;                                /* still among libprof's own frames */
    unsigned steps = 0, written = 0, module;
    enum walk_status status = WALK_ON;
    for (;;) {
        uintptr_t here = lookup;
        uint64_t rule = cache_find(here);
        module = rule_module(rule);
        if (likely(rule & RULE_PLAIN) && likely(module_is_current(module)) && likely(!first)) {
            uintptr_t cfa = (rule & RULE_BASE_FP ? fp : sp) + (uintptr_t)rule_cfa_offset(rule);
            uintptr_t ra_at = cfa + (uintptr_t)rule_ra_offset(rule);
            uintptr_t fp_at = rule & RULE_FP_SAVED ? cfa + (uintptr_t)rule_fp_offset(rule) : ra_at;
            if (likely(cfa > sp) && likely(ra_at - low <= span) && likely(fp_at - low <= span)) {
                uintptr_t ra = arch_code_address(load(ra_at));
                if (rule & RULE_FP_SAVED)
                    fp = load(fp_at);
                sp = cfa;
                lookup = ra - 1;
                if (unlikely(ra == 0))
                    status = WALK_COMPLETE;
                goto stepped;
            }
        }
        walk->lookup = here;
        walk->sp = sp;
        walk->fp = fp;
        walk->exact = walk->exact && walk->steps == steps;
        walk->steps = steps;
        status = step_any(walk, rule, &module);
        walk->steps = steps + 1;
        lookup = walk->lookup;
        sp = walk->sp;
        fp = walk->fp;
        low = walk->memory.low;
        span = walk->memory.span;
        first = walk->by_frame_pointer && walk->exact;
    stepped:
        steps++;
        if (unlikely(leading)) {
            leading = steps <= skip || walk_is_self(here);
            if (leading && status == WALK_ON)
                continue;
        }
        if (!leading)
            frames[written++] = make_frame(here, module);
        if (unlikely(status != WALK_ON) || unlikely(written == max))
            break;
    }
    *end = status == WALK_COMPLETE ? UNWIND_COMPLETE
           : status == WALK_BROKEN ? UNWIND_BROKEN
                                   : UNWIND_TRUNCATED;
    return written;
}

static void begin(struct walk *walk, const struct unwind_stack *stack, bool running)
{
    const struct arch_regs *regs = &walk->anchor;
    walk->lookup = regs->r[ARCH_PC];
    walk->sp = regs->r[ARCH_SP];
    walk->fp = regs->r[ARCH_FP];
    walk->exact = true;
    walk->by_frame_pointer = walk_engine == UNWIND_FP;
    walk->steps = 0;
    walk->anchor_steps = 0;
    walk->anchor_exact = true;
    walk->anchor_valid = true;
    memory_init(&walk->memory, stack ? stack->low : 0, stack ? stack->high : 0, walk->sp, running);
}

__attribute__((noinline)) unsigned unwind_here(const struct unwind_stack *stack, uint64_t *frames,
                                               unsigned max, enum unwind_end *end)
{
    struct walk walk;
    arch_capture(&walk.anchor);
    if (unlikely(walk_engine == UNWIND_LIBUNWIND))
        return libunwind_walk(&walk.anchor, 1, frames, max, end);
    begin(&walk, stack, true);
    return walk_run(&walk, 1, frames, max, end);
}

unsigned unwind_context(const ucontext_t *context, const struct unwind_stack *stack,
                        uint64_t *frames, unsigned max, enum unwind_end *end)
{
    struct walk walk;
    arch_from_context(context, &walk.anchor);
    if (unlikely(walk_engine == UNWIND_LIBUNWIND))
        return libunwind_walk(&walk.anchor, 0, frames, max, end);
    begin(&walk, stack, false);
    return walk_run(&walk, 0, frames, max, end);
}

void unwind_set_self(uintptr_t low, uintptr_t high)
{
    walk_self_low = low;
    walk_self_size = high - low;
}

enum unwind_engine unwind_init(enum unwind_engine wanted)
{
    module_init();
    const struct module *own = module_get(module_find((uintptr_t)&unwind_init));
    if (own && own->is_self)
        unwind_set_self(own->start, own->limit);
    walk_engine = wanted == UNWIND_LIBUNWIND && !libunwind_load() ? UNWIND_CFI : wanted;
    return walk_engine;
}

void unwind_after_fork_child(void)
{
    module_after_fork_child();
}
