#include "unwind/memo.h"
#include "kit/hash.h"
#include "kit/mappings.h"
#include "kit/sys.h"
#include "unwind/plain.h"

#include <string.h>

#define MEMO_FRAMES 2048u /* 128 KiB */
#define MEMO_PLACES 4096u
#define MEMO_POOL 64 /* threads with a memo at one time; the rest walk without */

/*
 * A frame that the thread has walked through, one cache line. It is valid while `id` isn't 0;
 * a signal handler may end a walk anywhere (longjmp), so id goes first and comes last. Two
 * have the same id only if they are one, and it stands for the same state still.
 */
struct memo_frame {
    uint64_t frame;           /* as the walk writes it; the return address is in it */
    uintptr_t sp, fp;         /* it was entered with */
    uintptr_t ra, fp_saved;   /* what the words held that it was left by */
    uint32_t ra_at, fp_at;    /* where they are, from memo->low; equal where there is only one */
    struct memo_frame *outer; /* whose state it leads to, */
    uint32_t outer_id;        /* if that has this id (still) */
    _Atomic(uint32_t) id;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct memo_frame) == 64, "a cache line each");

struct unwind_memo {
    uintptr_t low, high;   /* the stack that they all lie in */
    unsigned version;      /* of the module table: rules may differ since */
    unsigned children;     /* the process it was last taken in, as memo_children */
    uint32_t newest_id;    /* handed out; 0: all is empty */
    struct memo_frame end; /* what the outermost frame leads to; its id stays 0 */
    /* Filled in turn, and again: frames that were walked through one after the other lie one
     * after the other. */
    uint32_t next;
    uint16_t places[MEMO_PLACES]; /* which may be that of a state, by the state's hash */
    struct memo_frame frames[MEMO_FRAMES];
};

static _Atomic(uint64_t) taken; /* a bit for each of the pool */
static _Atomic(uintptr_t) pool;
static unsigned memo_children; /* how often this process's line was forked */

static void forget_all(struct unwind_memo *memo)
{
    if (memo->newest_id == 0)
        return;
    memset(memo->places, 0, sizeof memo->places);
    memset(memo->frames, 0, sizeof memo->frames);
    memo->newest_id = 0;
}

struct unwind_memo *unwind_memo_take(void)
{
    uintptr_t memory = atomic_load_explicit(&pool, memory_order_acquire);
    if (!memory) {
        size_t size = MEMO_POOL * sizeof(struct unwind_memo);
        void *mine = sys_forbidden() ? NULL : mappings_map(size);
        if (mine && atomic_compare_exchange_strong(&pool, &memory, (uintptr_t)mine))
            memory = (uintptr_t)mine;
        else if (mine)
            mappings_unmap(mine, size);
    }
    uint64_t mask = atomic_load_explicit(&taken, memory_order_relaxed);
    unsigned slot;
    do {
        if (!memory || mask == UINT64_MAX)
            return NULL;
        slot = (unsigned)__builtin_ctzll(~mask);
    } while (!atomic_compare_exchange_weak(&taken, &mask, mask | UINT64_C(1) << slot));
    struct unwind_memo *memo = (struct unwind_memo *)memory + slot;
    /* Another thread's before, perhaps: what it knows holds for a stack, not for a thread. But
     * one that fork caught in the middle may be seen half written. */
    if (memo->children != memo_children)
        forget_all(memo);
    memo->children = memo_children;
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
    memo_children++;
}

static inline uint16_t *place_of(struct unwind_memo *memo, const struct plain_state *state)
{
    return &memo->places[(state->sp / 16 + state->next * 64) % MEMO_PLACES];
}

static inline uint32_t id_of(const struct memo_frame *frame)
{
    return atomic_load_explicit(&frame->id, memory_order_relaxed);
}

static inline bool is_of_state(const struct memo_frame *frame, const struct plain_state *state)
{
    return UNWIND_ADDRESS(frame->frame) == state->next - 1 && frame->sp == state->sp &&
           frame->fp == state->fp && id_of(frame) != 0;
}

/* The frame of a state, if it is remembered: is_of_state tells. */
static inline struct memo_frame *find(struct unwind_memo *memo, const struct plain_state *state)
{
    return &memo->frames[*place_of(memo, state)];
}

static inline struct plain_state state_of(const struct memo_frame *frame)
{
    return (struct plain_state){UNWIND_ADDRESS(frame->frame) + 1, frame->sp, frame->fp};
}

/* Are the words that this frame was left by what they were? low: the memo's. */
__attribute__((no_sanitize("address"), always_inline)) static inline bool
still_holds(uintptr_t low, const struct memo_frame *frame)
{
    return ((plain_load(low + frame->ra_at) ^ frame->ra) |
            (plain_load(low + frame->fp_at) ^ frame->fp_saved)) == 0;
}

/* Notes what a frame leads to. outer_id: never 0, so that memo->end is never taken for valid. */
static inline void link_to(struct memo_frame *inner, struct memo_frame *outer, uint32_t outer_id)
{
    if (inner) {
        inner->outer = outer;
        inner->outer_id = outer_id;
    }
}

static uint32_t new_id(struct unwind_memo *memo)
{
    if (memo->newest_id == UINT32_MAX)
        forget_all(memo);
    return ++memo->newest_id;
}

/* Puts down a frame, entered with *state and left by the words at ra_at and fp_at; where it
 * leads to comes later. */
__attribute__((no_sanitize("address"))) static struct memo_frame *
put_down(struct unwind_memo *memo, const struct plain_state *state, unsigned module,
         const struct plain_words *words)
{
    struct memo_frame *frame = find(memo, state);
    uint32_t id = id_of(frame);
    if (!is_of_state(frame, state)) {
        unsigned number = memo->next++ % MEMO_FRAMES;
        frame = &memo->frames[number];
        *place_of(memo, state) = (uint16_t)number;
        id = new_id(memo);
    }
    uintptr_t fp_at = words->fp_at ? words->fp_at : words->ra_at;
    atomic_store_explicit(&frame->id, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    frame->frame = make_frame(state->next - 1, module);
    frame->sp = state->sp;
    frame->fp = state->fp;
    frame->ra = plain_load(words->ra_at);
    frame->fp_saved = plain_load(fp_at);
    frame->ra_at = (uint32_t)(words->ra_at - memo->low);
    frame->fp_at = (uint32_t)(fp_at - memo->low);
    frame->outer = frame; /* nowhere: its id isn't this one */
    frame->outer_id = 0;
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&frame->id, id, memory_order_relaxed);
    return frame;
}

/* Is the frame of this state the outermost, as a cached rule says? */
static bool is_outermost(const struct plain_state *state, unsigned *module)
{
    uint64_t rule = cache_find(state->next - 1);
    *module = rule_module(rule);
    return !(rule & RULE_PLAIN) && rule_special(rule) == RULE_END && *module != 0 &&
           module_is_current(*module);
}

/*
 * One frame by its rule, put down: *state becomes its caller's, or, with *status WALK_COMPLETE,
 * stays, there being none. NULL: the frame isn't a plain one.
 */
static __attribute__((noinline)) struct memo_frame *
step_anew(struct unwind_memo *memo, struct plain_state *state, enum walk_status *status)
{
    const struct plain_state entered = *state;
    const uintptr_t last = memo->high - sizeof(uintptr_t);
    struct plain_words words;
    unsigned module;
    if (entered.sp > last)
        return NULL;
    if (plain_step(state, last, &module, &words)) {
        *status = state->next == 0 ? WALK_COMPLETE : WALK_ON; /* a return address of 0 */
    } else if (is_outermost(state, &module)) {
        /* No words lead on from here; the first one stands for them. */
        words = (struct plain_words){entered.sp, entered.sp};
        *status = WALK_COMPLETE;
    } else {
        return NULL;
    }
    struct memo_frame *frame = put_down(memo, &entered, module, &words);
    if (*status == WALK_COMPLETE)
        link_to(frame, &memo->end, 1);
    return frame;
}

/* Is the memo about this stack and these modules, or may it begin anew? */
static inline bool open_memo(struct unwind_memo *memo, const struct unwind_stack *stack)
{
    if (atomic_load_explicit(&module_unloading, memory_order_acquire) != 0)
        return false;
    unsigned version = module_table_version();
    if (__builtin_expect(
            memo->version == version && memo->low == stack->low && memo->high == stack->high, 1))
        return true;
    if (stack->high - stack->low > UINT32_MAX) /* too large for ra_at and fp_at */
        return false;
    forget_all(memo);
    memo->version = version;
    memo->low = stack->low;
    memo->high = stack->high;
    return true;
}

/* Where a walk by the memo stands. */
struct recall {
    uint64_t *next, *limit;   /* room for frames */
    uint64_t hash;            /* of those before */
    struct memo_frame *inner; /* the last of those, or NULL */
};

static inline void enter(struct recall *recall, struct memo_frame *frame)
{
    *recall->next++ = frame->frame;
    recall->hash = hash_add(recall->hash, frame->frame);
    recall->inner = frame;
}

/*
 * From a frame that holds as far out as they do. Returns the frame beyond: the last one's
 * `outer`, whether it is still the one that was meant or not.
 */
static inline struct memo_frame *follow(uintptr_t low, struct memo_frame *frame,
                                        struct recall *recall)
{
    struct recall at = *recall;
    for (;;) {
        enter(&at, frame);
        frame = frame->outer;
        if (id_of(frame) != at.inner->outer_id)
            break;
        if (at.next == at.limit || !still_holds(low, frame))
            break;
    }
    *recall = at;
    return frame;
}

enum walk_status memo_walk(const struct unwind_stack *stack, struct plain_state *state,
                           uint64_t *frames, unsigned max, unsigned *written, uint64_t *hash)
{
    struct unwind_memo *memo = stack->memo;
    enum walk_status status = WALK_ON;
    struct recall recall = {frames, frames + max, HASH_START, NULL};
    bool usable = state->sp - stack->low < stack->high - stack->low && open_memo(memo, stack);
    while (usable && recall.next < recall.limit && status == WALK_ON) {
        struct memo_frame *frame = find(memo, state);
        if (!is_of_state(frame, state) || !still_holds(stack->low, frame)) {
            frame = step_anew(memo, state, &status);
            if (!frame)
                break;
            link_to(recall.inner, frame, id_of(frame));
            enter(&recall, frame);
            continue;
        }
        link_to(recall.inner, frame, id_of(frame));
        frame = follow(stack->low, frame, &recall);
        if (frame == &memo->end) {
            status = WALK_COMPLETE;
        } else if (id_of(frame) == recall.inner->outer_id) {
            *state = state_of(frame);
        } else {
            /* Where it leads to was forgotten; its own rule may be, too. */
            *state = state_of(recall.inner);
            usable = step_anew(memo, state, &status) != NULL;
            if (!usable)
                recall.next--;
        }
    }
    *written = (unsigned)(recall.next - frames);
    *hash = recall.hash;
    return status;
}
