#include "sample/heap/heap.h"
#include "ledger/counter.h"
#include "runtime/boot.h"
#include "runtime/config.h"
#include "runtime/real.h"
#include "runtime/relocated.h"
#include "sample/core/gate.h"
#include "sample/core/random.h"
#include "sample/core/scratch.h"
#include "sample/core/thread_entry.h"
#include "sample/heap/heap_inuse.h"
#include "sample/heap/live.h"
#include "sample/heap/live_sampled.h"
#include "trace/trace.h"

#include <errno.h>
#include <string.h>

/* Every allocation is recorded. Read before the start, too, when it is false and nothing is
 * tracked. */
static _Atomic(bool) exact_mode;
bool heap_own_malloc;
uint32_t heap_linked;

static bool is_exact(void)
{
    return atomic_load_explicit(&exact_mode, memory_order_relaxed);
}

static int64_t next_gap(void)
{
    if (is_exact())
        return -1;
    return config.heap_rate ? random_exponential(config.heap_rate) : INT64_MAX;
}

int64_t heap_first_gap(void)
{
    return next_gap();
}

void heap_start(bool active)
{
    bool on = active && config.heap_rate != 0;
    bool exact = on && config.heap_rate == 1;
    atomic_store_explicit(&exact_mode, exact, memory_order_relaxed);
    heap_inuse_start(exact);
    live_cap = config.max_memory;
    heap_filter_start(on, exact, config.heap_rate);
}

void heap_forget(void)
{
    live_forget();
    live_sampled_forget();
}

/* Memory for when there's no real function to ask (yet). */
static void *boot_block(size_t size)
{
    void *block = boot_alloc(size);
    if (block && is_relocated()) /* before, every block is looked up anyway */
        heap_filter_keep_boot();
    return block;
}

/* Enters a block in the table. Returns as live_insert does. */
static uint32_t enter(const void *block, uint32_t site, live_entry *known)
{
    if (is_exact())
        return known ? live_exchange(known, site) : live_insert(block, site);
    if (!heap_filter_add(block))
        return LIVE_FULL;
    uint32_t stale = live_sampled_insert(block, site);
    if (stale) /* not entered, or counted before */
        heap_filter_remove(block);
    return stale;
}

/* Follows a block to its free. One that can't be tracked counts as freed at once: in-use figures
 * may be short of it, never leak it. known: exact mode's entry for it, if there is one already. */
static void track(const void *block, uint32_t site, live_entry *known)
{
    uint32_t stale = enter(block, site, known);
    if (stale == LIVE_FULL) {
        ledger_count(LEDGER_STAT_LIVE_LOST, 1);
        heap_inuse_remove(site, false);
    } else if (stale) { /* its free went past us (RTLD_DEEPBIND, hazard 39) */
        heap_inuse_remove(stale, false);
    }
}

/* The site of a block that is about to be freed or moved; 0 when it isn't tracked. entry: exact
 * mode's, as live_find gave it. */
static uint32_t untrack(const void *block, live_entry *entry)
{
    if (is_exact())
        return entry && live_is_set(entry) ? live_exchange(entry, 0) : 0;
    uint32_t site = live_sampled_remove(block);
    if (site) {
        heap_filter_remove(block);
        trace_note(LEDGER_TRACE_FREE, thread_self.index, site, ledger_site_key(site));
    }
    return site;
}

/*
 * The size that a sampled block is entered with: the key of its site. A program whose buffers have
 * any size would make a site of each, 200 bytes of ledger. Once there are many sites, only the
 * first eight bits of a size are kept. It is rounded up or down at random, so that it is right on
 * average; what the bytes in use come to is then off by less than a hundred-thousandth
 * (size/p(size) is nearly straight over so short a way).
 */
#define EXACT_SIZES 8192u /* sites, up to which each size has its own */
#define SIZE_BITS 8

static size_t rounded_size(size_t size)
{
    uint64_t used =
        atomic_load_explicit(&ledger->sections[LEDGER_SITES].used, memory_order_relaxed);
    if (is_exact() || size >> SIZE_BITS == 0 || used < EXACT_SIZES * sizeof(struct ledger_site))
        return size;
    size_t step = ((size_t)1 << (63 - __builtin_clzl(size))) >> (SIZE_BITS - 1);
    size_t rest = size & (step - 1);
    return size - rest + ((double)rest >= random_uniform() * (double)step ? step : 0);
}

/* Records a sampled allocation that succeeded. */
static __attribute__((noinline)) void record(const void *block, size_t size,
                                             const struct unwind_origin *origin)
{
    struct scratch scratch;
    size = rounded_size(size);
    live_entry *entry = is_exact() ? live_find(block) : NULL;
    if (entry)
        __builtin_prefetch((const void *)(uintptr_t)entry, 1); /* comes while the stack is walked */
    scratch_open(&scratch, (unsigned)config.depth);
    enum unwind_end end;
    uint64_t hash;
    unsigned depth =
        unwind_from(origin, &thread_self.stack, scratch.frames, scratch.max, &end, &hash);
    if (depth == 0)
        ledger_count(LEDGER_STAT_LOST_STACK, 1);
    uint32_t site =
        depth ? ledger_site_hashed(LEDGER_KIND_HEAP, size, scratch.frames, depth, end, hash) : 0;
    scratch_close(&scratch);
    if (!site || !heap_inuse_add(site, size))
        return;
    track(block, site, entry);
    if (!is_exact()) /* of which there would be too many */
        trace_note(LEDGER_TRACE_ALLOC, thread_index(), site, size);
    if (is_exact())
        thread_self.last_block = block;
}

bool heap_sample_begin(void)
{
    struct thread_state *self = &thread_self;
    if (!gate_enter()) {
        if (is_relocated() && gate_phase() == GATE_INERT)
            self->heap_left = INT64_MAX;
        return false;
    }
    /* A new thread started below zero, to be set up; it has its first gap by now. */
    bool sampled = self->heap_left < 0;
    if (sampled)
        self->heap_left = next_gap();
    if (!sampled || config.heap_rate == 0 || !gate_ledger()) {
        gate_leave();
        return false;
    }
    return true;
}

static void *finish(void *block, size_t size, const struct unwind_origin *origin)
{
    if (block)
        record(block, size, origin);
    gate_leave();
    if (block && (!is_exact() || ((uintptr_t)block & 0xfff0) == 0)) /* else one in some thousand */
        gate_tick();
    return block;
}

void *heap_sample_end(void *block, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    return finish(block, size, &origin);
}

void *heap_malloc(size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_sample_begin())
        return real.malloc ? real.malloc(size) : boot_block(size);
    return finish(real.malloc(size), size, &origin);
}

void *heap_calloc(size_t count, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return real.calloc ? real.calloc(count, size) : NULL; /* fails, with its errno */
    if (!heap_sample_begin())
        return real.calloc ? real.calloc(count, size) : boot_block(total);
    return finish(real.calloc(count, size), total, &origin);
}

void *heap_memalign(size_t alignment, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_sample_begin())
        return real.memalign ? real.memalign(alignment, size) : boot_block(size);
    return finish(real.memalign(alignment, size), size, &origin);
}

void *heap_aligned_alloc(size_t alignment, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_sample_begin())
        return real.aligned_alloc ? real.aligned_alloc(alignment, size) : boot_block(size);
    return finish(real.aligned_alloc(alignment, size), size, &origin);
}

int heap_posix_memalign(void **block, size_t alignment, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_sample_begin()) {
        if (real.posix_memalign)
            return real.posix_memalign(block, alignment, size);
        *block = boot_block(size);
        return *block ? 0 : ENOMEM;
    }
    int error = real.posix_memalign(block, alignment, size);
    finish(error ? NULL : *block, size, &origin);
    return error;
}

void *heap_valloc(size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_sample_begin())
        return real.valloc ? real.valloc(size) : boot_block(size);
    return finish(real.valloc(size), size, &origin);
}

void *heap_pvalloc(size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_sample_begin())
        return real.pvalloc ? real.pvalloc(size) : boot_block(size);
    return finish(real.pvalloc(size), size, &origin);
}

static void *boot_move(void *block, size_t size)
{
    void *copy = real.malloc ? heap_malloc(size) : boot_block(size);
    size_t old = boot_size(block);
    return copy ? memcpy(copy, block, old < size ? old : size) : NULL;
}

static bool move_begin(struct heap_move *move, void *block)
{
    move->is_sampled = heap_sample_begin();
    if (!move->is_sampled && !gate_enter())
        return false;
    /* Out of the table before the real call: once that has moved the block,
     * another thread may be given its old address. */
    live_entry *entry = is_exact() ? live_find(block) : NULL;
    move->site = untrack(block, entry);
    move->entry = (void *)(uintptr_t)entry;
    return true;
}

static void *move_end(const struct heap_move *move, void *block, void *moved, size_t size,
                      const struct unwind_origin *origin)
{
    bool kept = !moved && size > 0; /* failed: the block is where it was (realloc(3)) */
    if (move->site && kept)
        track(block, move->site, move->entry);
    else if (move->site)
        heap_inuse_remove(move->site, false);
    if (move->is_sampled && moved)
        record(moved, size, origin);
    gate_leave();
    return moved;
}

bool heap_move_begin(struct heap_move *move, void *block)
{
    return move_begin(move, block);
}

void *heap_move_end(const struct heap_move *move, void *block, void *moved, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    return move_end(move, block, moved, size, &origin);
}

void *heap_realloc(void *block, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    struct heap_move move;
    if (boot_owns(block))
        return boot_move(block, size);
    if (!move_begin(&move, block))
        return real.realloc ? real.realloc(block, size) : boot_block(size);
    return move_end(&move, block, real.realloc(block, size), size, &origin);
}

/* Apart, so that the frequent miss saves no registers. */
static __attribute__((noinline)) void free_tracked(void *block, live_entry *entry)
{
    if (!gate_enter())
        return;
    uint32_t site = untrack(block, entry);
    if (site) {
        heap_inuse_remove(site, block == thread_self.last_block);
        if (block == thread_self.last_block)
            thread_self.last_block = NULL;
    }
    gate_leave();
}

bool heap_untrack(void *block)
{
    if (!real.free) /* not relocated, or not resolved: blocks are boot memory */
        return !block || boot_owns(block) || !is_relocated() || !gate_active() || !real.free;
    bool exact = is_exact();
    live_entry *entry = exact ? live_find(block) : NULL;
    bool tracked = exact ? entry && live_is_set(entry) : live_sampled_has(block);
    if (__builtin_expect(!tracked, 1))
        return !block || boot_owns(block) || !real.free;
    free_tracked(block, entry);
    return false;
}
