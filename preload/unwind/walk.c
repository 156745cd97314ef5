#include "kit/hash.h"
#include "kit/sections.h"
#include "unwind/libunwind.h"
#include "unwind/memo.h"
#include "unwind/module_table.h"
#include "unwind/module_unload.h"
#include "unwind/plain.h"
#include "unwind/rule.h"
#include "unwind/step.h"
#include "unwind/unwind.h"

#include <sys/auxv.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum unwind_engine walk_engine = UNWIND_CFI;
COLD_TABLE _Atomic(uint64_t) unwind_cut_short;

/*
 * The warm loop: plain frames on the thread's own stack, until something else
 * comes up (then the walk stands on that frame) or `max` frames are written.
 */
__attribute__((no_sanitize("address"))) static unsigned walk_warm(struct walk *walk,
                                                                  uint64_t *frames, unsigned max)
{
    struct plain_state state = {walk->lookup + 1, walk->sp, walk->fp};
    const uintptr_t last = walk->memory.low + walk->memory.span; /* the highest word */
    unsigned written = 0, module;
    struct plain_words words;
    if (unlikely(state.sp - walk->memory.low > walk->memory.span))
        return 0;
    while (written < max && state.sp <= last) {
        uintptr_t here = state.next - 1;
        if (!plain_step(&state, last, &module, &words))
            break;
        frames[written++] = make_frame(here, module);
    }
    walk->lookup = state.next - 1;
    walk->sp = state.sp;
    walk->fp = state.fp;
    if (written > 0)
        walk->exact = false;
    walk->steps += written;
    return written;
}

/* One frame by step_any: written at *frame. */
static enum walk_status walk_odd(struct walk *walk, uint64_t *frame)
{
    uintptr_t here = walk->lookup;
    unsigned module = 0;
    enum walk_status status = step_any(walk, cache_find(here), &module);
    *frame = make_frame(here, module);
    walk->steps++;
    return status;
}

/* The fp engine has no rule for a leaf. */
static bool walk_must_guess(const struct walk *walk)
{
    return walk->by_frame_pointer && walk->exact && !walk_is_own(walk);
}

/* The walk goes on from here to its end. written: frames that are there already. */
static unsigned walk_run(struct walk *walk, uint64_t *frames, unsigned written, unsigned max,
                         enum unwind_end *end)
{
    enum walk_status status = WALK_ON;
    uint64_t left_out;
    while (written == 0 && status == WALK_ON && walk_is_own(walk))
        if (walk_must_guess(walk) || walk_warm(walk, &left_out, 1) == 0)
            status = walk_odd(walk, &left_out);
    while (status == WALK_ON && written < max) {
        if (!walk_must_guess(walk))
            written += walk_warm(walk, frames + written, max - written);
        if (walk->lookup + 1 == 0 && !walk->exact)
            status = WALK_COMPLETE; /* a return address of 0 */
        else if (written < max)
            status = walk_odd(walk, &frames[written++]);
    }
    /* The last frame that fitted may have been the outermost. */
    if (status == WALK_ON && walk->lookup + 1 == 0 && !walk->exact)
        status = WALK_COMPLETE;
    if (unlikely(walk->memory.effort.spent)) {
        atomic_fetch_add_explicit(&unwind_cut_short, 1, memory_order_relaxed);
        status = WALK_BROKEN; /* whatever it took an unread word for */
    }
    *end = status == WALK_COMPLETE ? UNWIND_COMPLETE
           : status == WALK_BROKEN ? UNWIND_BROKEN
                                   : UNWIND_TRUNCATED;
    return written;
}

/* The walk begins where the three registers stand. mapped: a word of the stack, on or below
 * the first frame, that is known to be mapped, or 0. */
static void begin(struct walk *walk, const struct unwind_stack *stack, uintptr_t mapped)
{
    walk->by_frame_pointer = walk_engine == UNWIND_FP;
    walk->lacks_registers = false;
    walk->skip = 0;
    walk->steps = 0;
    walk->anchor_steps = 0;
    memory_init(&walk->memory, stack ? stack->low : 0, stack ? stack->high : 0,
                mapped ? mapped : walk->sp, mapped != 0);
}

/* It begins at the anchor's registers. here: at the calling function's own. */
static void begin_at_anchor(struct walk *walk, const struct unwind_stack *stack, bool here)
{
    const struct arch_regs *regs = &walk->anchor;
    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): written by assembly */
    walk->lookup = regs->r[ARCH_PC];
    walk->sp = regs->r[ARCH_SP];
    walk->fp = regs->r[ARCH_FP];
    walk->exact = true;
    begin(walk, stack, here ? walk->sp : 0);
    walk->skip = here ? 1 : 0;
    walk->anchor_exact = true;
    walk->anchor_valid = true;
}

__attribute__((noinline)) unsigned unwind_here(const struct unwind_stack *stack, uint64_t *frames,
                                               unsigned max, enum unwind_end *end)
{
    struct walk walk;
    arch_capture(&walk.anchor);
    if (unlikely(walk_engine == UNWIND_LIBUNWIND))
        return libunwind_walk(&walk.anchor, 1, frames, max, end);
    begin_at_anchor(&walk, stack, true);
    return walk_run(&walk, frames, 0, max, end);
}

/* By tables, or frame pointers, from *state on; `written` frames are there already. */
static __attribute__((noinline)) unsigned go_on(const struct plain_state *state,
                                                const struct unwind_origin *origin,
                                                const struct unwind_stack *stack, uint64_t *frames,
                                                unsigned written, unsigned max,
                                                enum unwind_end *end)
{
    struct walk walk;
    walk.lookup = state->next - 1;
    walk.sp = state->sp;
    walk.fp = state->fp;
    walk.exact = false;
    walk.anchor_valid = false;
    begin(&walk, stack, (uintptr_t)origin);
    walk.steps = written;
    memory_adopt(&walk.memory, walk.sp);
    unsigned count = walk_run(&walk, frames, written, max, end);
    return likely(!walk.lacks_registers) ? count : unwind_here(stack, frames, max, end);
}

unsigned unwind_from(const struct unwind_origin *origin, const struct unwind_stack *stack,
                     uint64_t *frames, unsigned max, enum unwind_end *end, uint64_t *hash)
{
    struct plain_state state = {arch_code_address(origin->ra), origin->sp, origin->fp};
    enum walk_status status = WALK_ON;
    unsigned count = 0;
    if (stack->memo && walk_engine == UNWIND_CFI && !self_holds(state.next - 1))
        status = memo_walk(stack, &state, frames, max, &count, hash);
    *end = status == WALK_COMPLETE ? UNWIND_COMPLETE : UNWIND_TRUNCATED;
    if (likely(status == WALK_COMPLETE || count == max))
        return count;
    count = unlikely(walk_engine == UNWIND_LIBUNWIND)
                ? unwind_here(stack, frames, max, end)
                : go_on(&state, origin, stack, frames, count, max, end);
    *hash = hash_frames(frames, count);
    return count;
}

unsigned unwind_context(const ucontext_t *context, const struct unwind_stack *stack,
                        uint64_t *frames, unsigned max, enum unwind_end *end)
{
    struct walk walk;
    arch_from_context(context, &walk.anchor);
    if (unlikely(walk_engine == UNWIND_LIBUNWIND))
        return libunwind_walk(&walk.anchor, 0, frames, max, end);
    begin_at_anchor(&walk, stack, false);
    return walk_run(&walk, frames, 0, max, end);
}

unsigned unwind_waiting(uintptr_t pc, uintptr_t sp, uint64_t *frames, unsigned max,
                        enum unwind_end *end)
{
    struct walk walk;
    __builtin_memset(&walk.anchor, 0, sizeof walk.anchor);
    walk.anchor.r[ARCH_PC] = pc;
    walk.anchor.r[ARCH_SP] = sp;
    begin_at_anchor(&walk, NULL, false);
    walk.by_frame_pointer = false;
    memory_init_foreign(&walk.memory);
    return walk_run(&walk, frames, 0, max, end);
}

/* From the linker: where the object that this is part of begins, and its code ends. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));

enum unwind_engine unwind_init(enum unwind_engine wanted)
{
    module_init();
    /* By the linker's symbols rather than by module_find, which would read our own
     * headers with a dozen checked reads, in each program that is started. */
    if (getauxval(AT_PHDR) - (uintptr_t)__ehdr_start >= 4096) /* not part of the program */
        unwind_set_self((uintptr_t)__ehdr_start, (uintptr_t)etext);
    walk_engine = wanted == UNWIND_LIBUNWIND && !libunwind_load() ? UNWIND_CFI : wanted;
    return walk_engine;
}

void unwind_after_fork_child(void)
{
    module_after_fork_child();
    memo_after_fork_child();
}
