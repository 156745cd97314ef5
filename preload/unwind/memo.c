#include "unwind/memo.h"
#include "runtime/sys.h"
#include "unwind/plain.h"

#include <string.h>

#define MEMO_FRAMES UNWIND_MAX_DEPTH
#define MEMO_POOL 64 /* threads with a memo at one time; the rest walk without */

struct memo_frame {
    struct plain_state state; /* the frame was entered with */
    struct plain_words words; /* it was left by; fp_at = ra_at where there is only one */
    uintptr_t ra, fp_saved;   /* what they held */
    uint64_t frame;
};

struct unwind_memo {
    struct plain_state end;  /* the state beyond the last frame */
    uintptr_t last;          /* of the trusted region they all lie in */
    unsigned version;        /* of the module table: rules may differ since */
    _Atomic(unsigned) first; /* the innermost of `frames` that is filled; the outermost is
                                always at the end. Signals may end a walk half way (longjmp) */
    struct memo_frame frames[MEMO_FRAMES];
    struct memo_frame fresh[MEMO_FRAMES]; /* of the walk under way, innermost first */
};

static _Atomic(uint64_t) taken; /* a bit for each of the pool */
static _Atomic(uintptr_t) pool;

struct unwind_memo *unwind_memo_take(void)
{
    uintptr_t memory = atomic_load_explicit(&pool, memory_order_acquire);
    if (!memory) {
        size_t size = MEMO_POOL * sizeof(struct unwind_memo);
        void *mine = atomic_load(&unwind_no_syscalls) ? NULL : sys_map_private(size);
        if (mine && atomic_compare_exchange_strong(&pool, &memory, (uintptr_t)mine))
            memory = (uintptr_t)mine;
        else if (mine)
            sys_unmap(mine, size);
    }
    uint64_t mask = atomic_load_explicit(&taken, memory_order_relaxed);
    unsigned slot;
    do {
        if (!memory || mask == UINT64_MAX)
            return NULL;
        slot = (unsigned)__builtin_ctzll(~mask);
    } while (!atomic_compare_exchange_weak(&taken, &mask, mask | UINT64_C(1) << slot));
    struct unwind_memo *memo = (struct unwind_memo *)memory + slot;
    atomic_store_explicit(&memo->first, MEMO_FRAMES, memory_order_relaxed);
    return memo;
}

void unwind_memo_give(struct unwind_memo *memo)
{
    if (memo) {
        ptrdiff_t slot = memo - (struct unwind_memo *)atomic_load(&pool);
        atomic_fetch_and(&taken, ~(UINT64_C(1) << slot));
    }
}

void memo_after_fork_child(void)
{
    atomic_store(&taken, 0);
}

/* Are the words that this frame was left by what they were? */
__attribute__((no_sanitize("address"), always_inline)) static inline bool
still_holds(const struct memo_frame *frame)
{
    return plain_load(frame->words.ra_at) == frame->ra &&
           plain_load(frame->words.fp_at) == frame->fp_saved;
}

static inline bool same_state(const struct plain_state *a, const struct plain_state *b)
{
    return a->sp == b->sp && a->next == b->next && a->fp == b->fp;
}

/* Puts the fresh frames before those from `kept` on, which still hold. */
static void remember(struct unwind_memo *memo, unsigned fresh, unsigned kept)
{
    if (fresh <= kept) {
        memcpy(&memo->frames[kept - fresh], memo->fresh, fresh * sizeof *memo->fresh);
        atomic_signal_fence(memory_order_seq_cst);
        atomic_store_explicit(&memo->first, kept - fresh, memory_order_relaxed);
    }
}

/* Forgets the frames within `kept`. Before anything that they depend on is changed: a
 * signal handler may end the walk here (longjmp). */
static inline void forget(struct unwind_memo *memo, unsigned kept)
{
    atomic_store_explicit(&memo->first, kept, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

/* One frame by its rule, noted in *note. */
__attribute__((no_sanitize("address"), always_inline)) static inline bool
step_noted(struct plain_state *state, uintptr_t last, struct memo_frame *note)
{
    unsigned module;
    note->state = *state;
    if (state->sp > last || !plain_step(state, last, &module, &note->words))
        return false;
    if (!note->words.fp_at)
        note->words.fp_at = note->words.ra_at;
    note->ra = plain_load(note->words.ra_at);
    note->fp_saved = plain_load(note->words.fp_at);
    note->frame = make_frame(note->state.next - 1, module);
    return true;
}

/* Is the memo still about this stack and these modules? Returns its first frame. */
static unsigned open_memo(struct unwind_memo *memo, uintptr_t last)
{
    unsigned version = module_table_version();
    if (memo->version != version || memo->last != last) {
        forget(memo, MEMO_FRAMES);
        memo->version = version;
        memo->last = last;
    }
    return atomic_load_explicit(&memo->first, memory_order_relaxed);
}

unsigned memo_walk(struct unwind_memo *memo, struct walk *walk, uint64_t *frames, unsigned max)
{
    struct plain_state state = {walk->lookup + 1, walk->sp, walk->fp};
    const uintptr_t last = walk->memory.low + walk->memory.span;
    if (state.sp - walk->memory.low > walk->memory.span ||
        atomic_load_explicit(&module_unloading, memory_order_acquire) != 0)
        return 0;
    unsigned n = open_memo(memo, last);
    unsigned written = 0, fresh = 0, steps = walk->steps, kept = MEMO_FRAMES;
    struct memo_frame own;
    while ((steps < walk->skip || walk_is_self(state.next - 1)) && step_noted(&state, last, &own))
        steps++;
    if (steps > walk->steps)
        walk->exact = false;
    while (written < max && fresh < MEMO_FRAMES && !walk_is_self(state.next - 1)) {
        while (n < MEMO_FRAMES && memo->frames[n].state.sp < state.sp)
            n++;
        if (n < MEMO_FRAMES && same_state(&memo->frames[n].state, &state)) {
            kept = n;
            while (n < MEMO_FRAMES && written < max && still_holds(&memo->frames[n]))
                frames[written++] = memo->frames[n++].frame;
            state = n < MEMO_FRAMES ? memo->frames[n].state : memo->end;
            steps += n - kept;
            if (n == MEMO_FRAMES || written == max)
                break;
            /* Something has changed from here on; those in between still hold. */
            unsigned between = n - kept;
            if (between > MEMO_FRAMES - fresh - 1) {
                fresh = MEMO_FRAMES + 1; /* no room: not to be remembered */
                break;
            }
            memcpy(&memo->fresh[fresh], &memo->frames[kept], between * sizeof *memo->fresh);
            fresh += between;
            kept = MEMO_FRAMES;
        }
        if (!step_noted(&state, last, &memo->fresh[fresh]))
            break;
        frames[written++] = memo->fresh[fresh++].frame;
        steps++;
    }
    if (steps > walk->steps)
        walk->exact = false;
    walk->steps = steps;
    walk->lookup = state.next - 1;
    walk->sp = state.sp;
    walk->fp = state.fp;
    forget(memo, kept);
    if (kept == MEMO_FRAMES)
        memo->end = state;
    remember(memo, fresh, kept);
    return written;
}
