#include "sample/heap.h"
#include "ledger/counter.h"
#include "ledger/reader.h"
#include "runtime/boot.h"
#include "runtime/config.h"
#include "runtime/late.h"
#include "runtime/real.h"
#include "sample/live.h"
#include "sample/recorder.h"
#include "sample/scratch.h"

#include <errno.h>
#include <string.h>
#include <sys/single_threaded.h>

#define PAGE ((size_t)4096)
/* Largest block that is copied, or cleared, just to be placed on a page. Beyond
 * it the allocator's own block is taken where it lies. */
#define PLACE_MAX ((size_t)64 << 10)
/* How far a thread's bytes in use may be off before it tells the ledger, when
 * there are several threads: the peak is exact to so many bytes a thread. */
#define PENDING_MAX ((int64_t)32 << 10)

_Atomic(uintptr_t) heap_free_mask; /* 0 until started: every free comes by */
#define ONES_8 1, 1, 1, 1, 1, 1, 1, 1
#define ONES_64 ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8
#define ONES_512 ONES_64, ONES_64, ONES_64, ONES_64, ONES_64, ONES_64, ONES_64, ONES_64
static heap_page_count all_pages[HEAP_PAGES] = {ONES_512, ONES_512, ONES_512, ONES_512,
                                                ONES_512, ONES_512, ONES_512, ONES_512};
static LATE_TABLE _Atomic(uint8_t) followed_pages[HEAP_PAGES];
heap_page_count *_Atomic heap_pages = all_pages;
static bool exact;
/* Live sampled blocks that lie where the mask doesn't look. */
static _Atomic(uint32_t) unplaced;

static int64_t next_gap(void)
{
    if (exact)
        return -1;
    return config.heap_rate ? thread_exponential(config.heap_rate) : INT64_MAX;
}

int64_t heap_first_gap(void)
{
    return next_gap();
}

bool heap_own_malloc;
bool heap_one_family = true;

static bool places(void)
{
    return !exact && heap_one_family && real.memalign;
}

void heap_start(bool active)
{
    bool on = active && config.heap_rate != 0;
    exact = on && config.heap_rate == 1;
    atomic_store(&unplaced, 0);
    /* A forked child follows none of its parent's blocks: what is counted of them
     * only costs it a look. */
    heap_pages = exact ? all_pages : followed_pages;
    if (on)
        live_start(exact, config.max_memory);
    heap_free_mask = !on ? ~(uintptr_t)0 : exact ? 0 : HEAP_MASK_PLACED;
}

/* A page that holds followed blocks, or boot memory, is looked at for good once there
 * are so many that they aren't counted any more. */
#define PAGE_FOR_GOOD UINT8_MAX

static void page_count(const void *block, int change)
{
    _Atomic(uint8_t) *count = &followed_pages[heap_page(block)];
    uint8_t seen = atomic_load_explicit(count, memory_order_relaxed);
    while (seen != PAGE_FOR_GOOD &&
           !atomic_compare_exchange_weak(count, &seen, (uint8_t)(seen + change)))
        ;
}

/* Memory for when there's no real function to ask (yet). */
static void *boot_block(size_t size)
{
    void *block = boot_alloc(size);
    if (block)
        atomic_store(&followed_pages[heap_page(block)], PAGE_FOR_GOOD);
    return block;
}

/* Bytes that a recorded block of `size` stands for. */
static int64_t weighted(uint64_t size)
{
    return exact ? (int64_t)size
                 : (int64_t)((double)size * ledger_heap_weight(size, config.heap_rate));
}

/*
 * Tells the ledger how many bytes in use came or went, and notes a new peak:
 * a higher epoch, by which each counter knows at its next change that its
 * present value was its value at the peak.
 */
static void account_inuse(int64_t bytes)
{
    struct thread_state *self = &thread_self;
    int64_t change = self->heap_pending + bytes;
    int64_t inuse;
    if (__libc_single_threaded) {
        inuse = atomic_load_explicit(&ledger->heap_inuse, memory_order_relaxed) + change;
        atomic_store_explicit(&ledger->heap_inuse, inuse, memory_order_relaxed);
    } else if (exact && !self->ended && change < PENDING_MAX && change > -PENDING_MAX) {
        self->heap_pending = change;
        return;
    } else {
        inuse =
            atomic_fetch_add_explicit(&ledger->heap_inuse, change, memory_order_relaxed) + change;
    }
    self->heap_pending = 0;
    int64_t peak = atomic_load_explicit(&ledger->heap_peak, memory_order_relaxed);
    if (inuse <= peak)
        return;
    /* A lost race leaves a slightly lower peak, which the next change mends. */
    atomic_store_explicit(&ledger->heap_peak, inuse, memory_order_relaxed);
    if (__libc_single_threaded)
        atomic_store_explicit(&ledger->heap_peak_epoch,
                              atomic_load_explicit(&ledger->heap_peak_epoch, memory_order_relaxed) +
                                  1,
                              memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&ledger->heap_peak_epoch, 1, memory_order_relaxed);
}

void heap_thread_end(void)
{
    struct thread_state *self = &thread_self;
    if (self->heap_pending && ledger_exists() && self->epoch == recorder_epoch())
        account_inuse(0);
    self->heap_pending = 0;
}

/* The counter of a site, its value at the last peak kept before it changes. */
static struct ledger_counter *counter_open(uint32_t site)
{
    struct ledger_counter *counter = ledger_counter(thread_self.plane, site);
    if (!counter)
        return NULL;
    uint32_t epoch = atomic_load_explicit(&ledger->heap_peak_epoch, memory_order_relaxed);
    if (atomic_load_explicit(&counter->peak_epoch, memory_order_relaxed) != epoch) {
        uint64_t count = atomic_load_explicit(&counter->count, memory_order_relaxed);
        uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);
        atomic_store_explicit(&counter->peak, (int64_t)(count - value), memory_order_relaxed);
        atomic_store_explicit(&counter->peak_epoch, epoch, memory_order_relaxed);
    }
    return counter;
}

/* A recorded block is gone. */
static void record_free(uint32_t site, const void *block)
{
    struct ledger_counter *counter = counter_open(site);
    if (!counter)
        return;
    thread_add(&counter->value, 1);
    if (block == thread_self.last_block) {
        thread_add(&counter->temporary, 1);
        thread_self.last_block = NULL;
    }
    account_inuse(-weighted(ledger_site_key(site)));
}

/* An unplaced block lives: every free is to be looked at before the block is handed out. */
static void mask_open(void)
{
    uintptr_t seen = atomic_load(&heap_free_mask);
    while (!atomic_compare_exchange_weak(&heap_free_mask, &seen,
                                         (seen & ~HEAP_MASK_TESTED) + HEAP_MASK_CHANGE))
        ;
}

/* The last unplaced block may be gone. Each change has another number, so that this one fails
 * where a block came meanwhile: no free of it may go past us, not even for a moment. */
static void mask_close(void)
{
    uintptr_t seen = atomic_load(&heap_free_mask);
    while (atomic_load(&unplaced) == 0) {
        uintptr_t number = (seen & ~HEAP_MASK_TESTED) + HEAP_MASK_CHANGE;
        if (!atomic_compare_exchange_weak(&heap_free_mask, &seen, number | HEAP_MASK_PLACED))
            continue;
        /* Held up for 16 changes, after which their numbers come again? */
        if (atomic_load(&unplaced) != 0)
            mask_open();
        return;
    }
}

static bool placed(const void *block)
{
    return ((uintptr_t)block & HEAP_MASK_PLACED) == 0;
}

/* Follows a block to its free, wherever it lies. One that can't be followed
 * counts as freed at once: in-use figures may be short of it, never leak it. known: exact
 * mode's entry for it, if there is one already. */
static void follow(const void *block, uint32_t site, live_entry *known)
{
    uint32_t stale = known ? live_exchange(known, site) : live_insert(block, site);
    if (stale == LIVE_FULL) {
        ledger_count(LEDGER_STAT_LIVE_LOST, 1);
        record_free(site, NULL);
        return;
    }
    if (stale) { /* its free went past us (RTLD_DEEPBIND, hazard 39) */
        record_free(stale, NULL);
        return;
    }
    if (exact)
        return;
    page_count(block, 1);
    if (!placed(block)) {
        atomic_fetch_add(&unplaced, 1);
        mask_open();
    }
}

/* The site of a block that is about to be freed or moved; 0 when it isn't followed. entry: as
 * live_find gave it. */
static uint32_t unfollow(const void *block, live_entry *entry)
{
    if (exact)
        return live_exchange(entry, 0);
    uint32_t site = live_remove(block);
    if (!site)
        return 0;
    page_count(block, -1);
    if (!placed(block) && atomic_fetch_sub(&unplaced, 1) == 1)
        mask_close();
    return site;
}

/* Records a sampled allocation that succeeded. */
static __attribute__((noinline)) void record(const void *block, size_t size,
                                             const struct unwind_origin *origin)
{
    struct scratch scratch;
    live_entry *entry = exact ? live_find(block) : NULL;
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
    struct ledger_counter *counter = site ? counter_open(site) : NULL;
    if (!counter)
        return;
    thread_add(&counter->count, 1);
    account_inuse(weighted(size));
    follow(block, site, entry);
    if (exact)
        thread_self.last_block = block;
}

bool heap_begin(void)
{
    struct thread_state *self = &thread_self;
    if (!recorder_enter()) {
        if (atomic_load(&recorder_page->phase) == RECORDER_INERT)
            self->heap_left = INT64_MAX;
        return false;
    }
    /* A new thread started below zero, to be set up; it has its first gap by now. */
    bool sampled = self->heap_left < 0;
    if (sampled)
        self->heap_left = next_gap();
    if (!sampled || config.heap_rate == 0 || !recorder_ledger()) {
        recorder_leave();
        return false;
    }
    return true;
}

static void *finish(void *block, size_t size, const struct unwind_origin *origin)
{
    if (block)
        record(block, size, origin);
    recorder_leave();
    if (block && (!exact || ((uintptr_t)block & 0xfff0) == 0)) /* else one in some thousand */
        recorder_tick();
    return block;
}

void *heap_end(void *block, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    return finish(block, size, &origin);
}

/* A block on a page boundary for a sampled request. */
static void *place(size_t size)
{
    return places() ? real.memalign(PAGE, size) : real.malloc(size);
}

void *heap_malloc(size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_begin())
        return real.malloc ? real.malloc(size) : boot_block(size);
    return finish(place(size), size, &origin);
}

void *heap_calloc(size_t count, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return real.calloc ? real.calloc(count, size) : NULL; /* fails, with its errno */
    if (!heap_begin())
        return real.calloc ? real.calloc(count, size) : boot_block(total);
    if (exact || total > PLACE_MAX) /* fresh pages are zero already: don't touch them */
        return finish(real.calloc(count, size), total, &origin);
    void *block = place(total);
    return finish(block ? memset(block, 0, total) : NULL, total, &origin);
}

/* Alignment for a sampled aligned request: at least the page. */
static size_t page_alignment(size_t alignment)
{
    bool power = alignment && (alignment & (alignment - 1)) == 0;
    return !places() || !power || alignment >= PAGE ? alignment : PAGE;
}

void *heap_memalign(size_t alignment, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_begin())
        return real.memalign ? real.memalign(alignment, size) : boot_block(size);
    return finish(real.memalign(page_alignment(alignment), size), size, &origin);
}

void *heap_aligned_alloc(size_t alignment, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_begin())
        return real.aligned_alloc ? real.aligned_alloc(alignment, size) : boot_block(size);
    /* Some allocators want the size to be a multiple of the alignment: only
     * memalign takes the page with any size. */
    void *block = places() ? real.memalign(page_alignment(alignment), size)
                           : real.aligned_alloc(alignment, size);
    return finish(block, size, &origin);
}

int heap_posix_memalign(void **block, size_t alignment, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_begin()) {
        if (real.posix_memalign)
            return real.posix_memalign(block, alignment, size);
        *block = boot_block(size);
        return *block ? 0 : ENOMEM;
    }
    /* An alignment that isn't a power of two and a multiple of a pointer's size
     * must be refused as the real function refuses it. */
    bool valid = alignment % sizeof(void *) == 0;
    int error = real.posix_memalign(block, valid ? page_alignment(alignment) : alignment, size);
    finish(error ? NULL : *block, size, &origin);
    return error;
}

void *heap_valloc(size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_begin())
        return real.valloc ? real.valloc(size) : boot_block(size);
    return finish(real.valloc(size), size, &origin);
}

void *heap_pvalloc(size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (!heap_begin())
        return real.pvalloc ? real.pvalloc(size) : boot_block(size);
    return finish(real.pvalloc(size), size, &origin);
}

/* Moves a sampled block to a page of its own. NULL: no memory; the block stays. */
static void *place_copy(void *block, size_t size)
{
    void *copy = place(size);
    if (copy && block) {
        size_t old = real.malloc_usable_size(block);
        memcpy(copy, block, old < size ? old : size);
        real.free(block);
    }
    return copy;
}

static void *boot_move(void *block, size_t size)
{
    void *copy = real.malloc ? heap_malloc(size) : boot_block(size);
    size_t old = boot_size(block);
    return copy ? memcpy(copy, block, old < size ? old : size) : NULL;
}

void *heap_realloc(void *block, size_t size)
{
    const struct unwind_origin origin = UNWIND_ORIGIN();
    if (boot_owns(block))
        return boot_move(block, size);
    bool sampled = heap_begin();
    if (!sampled && !recorder_enter())
        return real.realloc ? real.realloc(block, size) : boot_block(size);
    /* Out of the table before the real call: once that has moved the block,
     * another thread may be given its old address. */
    live_entry *entry = live_find(block);
    uint32_t site = entry && live_is_set(entry) ? unfollow(block, entry) : 0;
    bool copy = sampled && places() && size > 0 && size <= PLACE_MAX && real.malloc_usable_size;
    void *moved = copy ? place_copy(block, size) : real.realloc(block, size);
    bool kept = !moved && size > 0; /* failed: the block is where it was (realloc(3)) */
    if (site && kept)
        follow(block, site, exact ? entry : NULL);
    else if (site)
        record_free(site, NULL);
    if (sampled && moved)
        record(moved, size, &origin);
    recorder_leave();
    return moved;
}

/* Apart, so that the frequent miss saves no registers. */
static __attribute__((noinline)) void free_followed(void *block, live_entry *entry)
{
    if (!recorder_enter())
        return;
    uint32_t site = unfollow(block, entry);
    if (site)
        record_free(site, block);
    recorder_leave();
}

bool heap_free(void *block)
{
    live_entry *entry = live_find(block);
    if (__builtin_expect(!entry || !live_is_set(entry), 1))
        return !block || boot_owns(block) || !real.free;
    free_followed(block, entry);
    return false;
}
