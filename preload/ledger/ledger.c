#include "ledger/ledger.h"
#include "kit/hash.h"
#include "kit/sys.h"
#include "ledger/index.h"
#include "ledger/memory.h"
#include "ledger/recent.h"

#include <string.h>

_Static_assert(LEDGER_MODULES_MAX == MODULE_MAX, "the ledger has room for every module's index");

static bool stack_match(uint32_t reference, const void *key)
{
    const struct ledger_stack *stack =
        memory_at(LEDGER_STACKS, (uint64_t)reference * LEDGER_STACK_UNIT);
    return stack->hash == *(const uint64_t *)key;
}

static uint32_t stack_enter(const uint64_t *frames, unsigned depth, enum unwind_end end,
                            uint64_t hash)
{
    uint32_t mine = 0;
    for (;;) {
        ledger_slot *slot;
        uint32_t found = index_find(LEDGER_STACK_INDEX, hash, stack_match, &hash, &slot);
        if (found)
            return found; /* if another thread was faster, our copy stays behind unreached */
        if (!slot)
            return 0;
        if (!mine) {
            uint64_t offset =
                memory_append(LEDGER_STACKS, sizeof(struct ledger_stack) + depth * sizeof *frames);
            if (offset == 0 || offset / LEDGER_STACK_UNIT > UINT32_MAX)
                return 0;
            mine = (uint32_t)(offset / LEDGER_STACK_UNIT);
            struct ledger_stack *stack = memory_at(LEDGER_STACKS, offset);
            stack->hash = hash;
            stack->depth = depth;
            stack->end = end;
            memcpy(stack->frames, frames, depth * sizeof *frames);
        }
        if (index_store(slot, hash, mine))
            break;
    }
    ledger_count(end == UNWIND_COMPLETE    ? LEDGER_STAT_STACKS_COMPLETE
                 : end == UNWIND_TRUNCATED ? LEDGER_STAT_STACKS_TRUNCATED
                                           : LEDGER_STAT_STACKS_BROKEN,
                 1);
    return mine;
}

uint32_t ledger_stack(const uint64_t *frames, unsigned depth, enum unwind_end end)
{
    return stack_enter(frames, depth, end, hash_frames(frames, depth));
}

static struct ledger_site *site_at(uint32_t site)
{
    return (struct ledger_site *)memory_at(LEDGER_SITES, 0) + site;
}

/* A site's hash, of its stack's, its kind and its key. */
static uint64_t hash_site(uint64_t stack_hash, enum ledger_kind kind, uint64_t key)
{
    return hash_fold(stack_hash ^ UINT64_C(0x8ebc6af09c88c6e3),
                     (key + ((uint64_t)kind << 56)) ^ HASH_START);
}

struct site_key {
    uint64_t hash, key;
    enum ledger_kind kind;
};

static bool site_match(uint32_t reference, const void *key)
{
    const struct site_key *wanted = key;
    const struct ledger_site *site = site_at(reference);
    return site->hash == wanted->hash && site->key == wanted->key &&
           atomic_load_explicit(&site->kind, memory_order_relaxed) == (uint32_t)wanted->kind;
}

/* A new site, not in the index yet: its number, or 0 when there's no room. */
static uint32_t site_append(const struct site_key *key, uint32_t stack)
{
    uint64_t offset = memory_append(LEDGER_SITES, sizeof(struct ledger_site));
    if (offset == 0)
        return 0;
    uint32_t number = (uint32_t)(offset / sizeof(struct ledger_site));
    struct ledger_site *site = site_at(number);
    site->hash = key->hash;
    site->key = key->key;
    site->stack = stack;
    atomic_store_explicit(&site->kind, key->kind, memory_order_release);
    return number;
}

/* In the index, or appended and entered there; 0: the ledger is full. */
static uint32_t site_enter(const struct site_key *wanted, const uint64_t *frames, unsigned depth,
                           enum unwind_end end, uint64_t stack_hash)
{
    uint32_t mine = 0;
    for (;;) {
        ledger_slot *slot;
        uint32_t found = index_find(LEDGER_SITE_INDEX, wanted->hash, site_match, wanted, &slot);
        if (found) {
            if (mine) /* another thread was faster: readers are to pass ours by */
                atomic_store_explicit(&site_at(mine)->kind, LEDGER_KIND_NONE, memory_order_relaxed);
            return found;
        }
        if (slot && !mine) {
            uint32_t stack = stack_enter(frames, depth, end, stack_hash);
            mine = stack ? site_append(wanted, stack) : 0;
        }
        if (!slot || !mine) {
            ledger_count(LEDGER_STAT_LOST_MEMORY, 1);
            return 0;
        }
        if (index_store(slot, wanted->hash, mine))
            return mine;
    }
}

uint32_t ledger_site(enum ledger_kind kind, uint64_t key, const uint64_t *frames, unsigned depth,
                     enum unwind_end end)
{
    return ledger_site_hashed(kind, key, frames, depth, end, hash_frames(frames, depth));
}

uint32_t ledger_site_hashed(enum ledger_kind kind, uint64_t key, const uint64_t *frames,
                            unsigned depth, enum unwind_end end, uint64_t stack_hash)
{
    struct site_key wanted = {hash_site(stack_hash, kind, key), key, kind};
    if (ledger->heap_rate != 1)
        return site_enter(&wanted, frames, depth, end, stack_hash);
    uint32_t site = recent_find(wanted.hash);
    if (!site) {
        site = site_enter(&wanted, frames, depth, end, stack_hash);
        if (site)
            recent_enter(wanted.hash, site);
    }
    return site;
}

struct ledger_thread *ledger_thread_get(uint32_t index)
{
    return index ? (struct ledger_thread *)memory_at(LEDGER_THREADS, 0) + index : NULL;
}

void ledger_thread_release(uint32_t index)
{
    struct ledger_thread *thread = ledger_thread_get(index);
    uint64_t old = atomic_load(&ledger->threads_free), wanted;
    do {
        atomic_store_explicit(&thread->next_free, (uint32_t)old, memory_order_relaxed);
        wanted = ((old >> 32) + 1) << 32 | index;
    } while (!atomic_compare_exchange_weak(&ledger->threads_free, &old, wanted));
}

/* An entry whose thread has ended, emptied; 0 when there is none. */
static uint32_t thread_reuse(void)
{
    uint64_t old = atomic_load(&ledger->threads_free), wanted;
    struct ledger_thread *thread;
    do {
        thread = ledger_thread_get((uint32_t)old);
        if (!thread)
            return 0;
        /* somebody else may have taken it: then the exchange fails */
        uint32_t next = atomic_load_explicit(&thread->next_free, memory_order_relaxed);
        wanted = ((old >> 32) + 1) << 32 | next;
    } while (!atomic_compare_exchange_weak(&ledger->threads_free, &old, wanted));
    atomic_store(&thread->tid, 0); /* readers pass it by until it is filled again */
    atomic_store(&thread->waiting_ns, 0);
    atomic_store(&thread->wait_site, 0);
    memset(thread->name, 0, sizeof thread->name);
    atomic_store(&thread->walk, 0);
    atomic_store(&thread->asked, 0);
    atomic_store(&thread->cpu_ns, 0);
    atomic_store(&thread->end_ns, 0);
    return (uint32_t)old;
}

uint32_t ledger_thread(uint32_t tid, uint32_t creator, const char *name)
{
    ledger_count(LEDGER_STAT_THREADS_SEEN, 1);
    uint64_t offset = memory_append(LEDGER_THREADS, sizeof(struct ledger_thread));
    uint32_t index = offset ? (uint32_t)(offset / sizeof(struct ledger_thread)) : thread_reuse();
    if (index == 0) {
        ledger_count(LEDGER_STAT_THREADS_LOST, 1);
        return 0;
    }
    struct ledger_thread *thread = ledger_thread_get(index);
    thread->creator = creator;
    thread->start_ns = sys_clock_ns(CLOCK_REALTIME);
    if (name)
        memcpy(thread->name, name, strnlen(name, LEDGER_THREAD_NAME - 1));
    atomic_store_explicit(&thread->tid, tid, memory_order_release);
    return index;
}

uint32_t ledger_string(const char *text, size_t length)
{
    uint64_t size = (sizeof(struct ledger_string) + length + 1 + 7) & ~UINT64_C(7);
    uint64_t offset = length > UINT16_MAX ? 0 : memory_append(LEDGER_STRINGS, size);
    if (offset == 0)
        return 0;
    struct ledger_string *string = memory_at(LEDGER_STRINGS, offset);
    string->length = (uint32_t)length;
    memcpy(string->text, text, length);
    return (uint32_t)offset;
}

void ledger_module(unsigned index, const struct module *module)
{
    uint64_t end = (index + 1) * sizeof(struct ledger_module);
    struct ledger_section *s = ledger_exists() ? &ledger->sections[LEDGER_MODULES] : NULL;
    if (!s || !memory_reserve(LEDGER_MODULES, end))
        return;
    struct ledger_module *entry = (struct ledger_module *)memory_at(LEDGER_MODULES, 0) + index;
    entry->start = module->start;
    entry->limit = module->limit;
    entry->file_offset = module->file_offset;
    entry->bias = module->bias;
    memcpy(entry->build_id, module->build_id, sizeof entry->build_id);
    entry->build_id_size = module->build_id_size;
    entry->is_main = module->is_main;
    entry->is_vdso = module->is_vdso;
    entry->is_self = module->is_self;
    const char *path = module->path ? module->path : "";
    atomic_store_explicit(&entry->path, ledger_string(path, strlen(path)), memory_order_release);
    uint64_t used = atomic_load_explicit(&s->used, memory_order_relaxed);
    while (used < end && !atomic_compare_exchange_weak(&s->used, &used, end))
        ;
}
