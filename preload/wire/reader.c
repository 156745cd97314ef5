#include "wire/reader.h"
#include "wire/frame.h"

#include <string.h>

#define LOAD(p) atomic_load_explicit((p), memory_order_relaxed)
#define LOAD_ACQUIRE(p) atomic_load_explicit((p), memory_order_acquire)

const char *ledger_view_open(struct ledger_view *view, const void *base, uint64_t size)
{
    const struct ledger_header *header = base;
    memset(view, 0, sizeof *view);
    if (size < sizeof *header)
        return "the ledger is shorter than its header";
    if (LOAD_ACQUIRE(&header->magic) != LEDGER_MAGIC)
        return "not a ledger (magic)";
    if (header->version != LEDGER_VERSION)
        return "a ledger of another version of libprof";
    uint32_t planes = header->planes;
    if (planes < 1 || planes > LEDGER_PLANES_MAX)
        return "the ledger's number of counter planes is out of range";
    for (unsigned n = 0; n < LEDGER_SECTIONS; n++) {
        uint64_t offset = header->sections[n].offset, length = header->sections[n].size;
        if (offset % 8 || offset > size || length > size - offset)
            return "a section of the ledger lies outside of it";
        view->sections[n].offset = offset;
        view->sections[n].size = length;
    }
    view->header = header;
    view->base = base;
    view->size = size;
    view->planes = planes;
    return NULL;
}

/* `size` bytes at `offset` of a section, or NULL when they aren't all inside. */
static const void *view_at(const struct ledger_view *view, unsigned section, uint64_t offset,
                           uint64_t size)
{
    uint64_t limit = view->sections[section].size;
    if (offset > limit || size > limit - offset)
        return NULL;
    return view->base + view->sections[section].offset + offset;
}

/* One past the last entry of a table of fixed-size entries. */
static uint32_t view_entries(const struct ledger_view *view, unsigned section, uint64_t entry)
{
    uint64_t used = LOAD_ACQUIRE(&view->header->sections[section].used);
    if (used > view->sections[section].size)
        used = view->sections[section].size;
    uint64_t entries = used / entry;
    return entries > UINT32_MAX ? UINT32_MAX : (uint32_t)entries;
}

uint32_t ledger_view_sites(const struct ledger_view *view)
{
    return view_entries(view, LEDGER_SITES, sizeof(struct ledger_site));
}

/* A plane's counter; NULL where the plane never got as far (its memory isn't
 * touched then: reading a hole would fill it). */
static const struct ledger_counter *view_counter(const struct ledger_view *view, unsigned plane,
                                                 uint32_t site)
{
    unsigned section = LEDGER_COUNTERS + plane;
    uint64_t offset = (uint64_t)site * sizeof(struct ledger_counter);
    uint64_t reserved = LOAD(&view->header->sections[section].reserved);
    if (offset + sizeof(struct ledger_counter) > reserved)
        return NULL;
    return view_at(view, section, offset, sizeof(struct ledger_counter));
}

/* Objects in use at the peak by one plane's account: what the counter kept when
 * it last changed, or, if it hasn't changed since the peak, what it holds now. */
static int64_t counter_peak(const struct ledger_counter *counter, uint32_t epoch, uint64_t count,
                            uint64_t value)
{
    if (LOAD(&counter->peak_epoch) == epoch)
        return LOAD(&counter->peak);
    return (int64_t)(count - value);
}

bool ledger_view_site(const struct ledger_view *view, uint32_t site, struct ledger_site_view *out)
{
    uint64_t offset = (uint64_t)site * sizeof(struct ledger_site);
    const struct ledger_site *entry =
        site ? view_at(view, LEDGER_SITES, offset, sizeof *entry) : NULL;
    if (!entry)
        return false;
    uint32_t kind = LOAD_ACQUIRE(&entry->kind);
    if (kind == LEDGER_KIND_NONE || kind >= LEDGER_KINDS)
        return false;
    *out = (struct ledger_site_view){.kind = kind, .key = entry->key, .stack = entry->stack};
    uint64_t values[LEDGER_PLANES_MAX] = {0};
    uint32_t epoch = LOAD(&view->header->heap_peak_epoch);
    for (unsigned plane = 0; plane < view->planes; plane++) {
        const struct ledger_counter *counter = view_counter(view, plane, site);
        if (counter) {
            values[plane] = LOAD_ACQUIRE(&counter->value);
            out->value += values[plane];
        }
    }
    /* A block is freed after it was allocated: counts read after the values
     * can't be behind them. */
    int64_t peak = 0;
    for (unsigned plane = 0; plane < view->planes; plane++) {
        const struct ledger_counter *counter = view_counter(view, plane, site);
        if (!counter)
            continue;
        uint64_t count = LOAD(&counter->count);
        out->count += count;
        out->temporary += LOAD(&counter->temporary);
        peak += counter_peak(counter, epoch, count, values[plane]);
    }
    out->peak = peak > 0 ? (uint64_t)peak : 0;
    if (kind == LEDGER_KIND_HEAP && out->value > out->count)
        out->value = out->count; /* only a hostile ledger gets here */
    return true;
}

bool ledger_view_stack(const struct ledger_view *view, uint32_t stack,
                       struct ledger_stack_view *out)
{
    uint64_t offset = (uint64_t)stack * LEDGER_STACK_UNIT;
    const struct ledger_stack *entry =
        stack ? view_at(view, LEDGER_STACKS, offset, sizeof *entry) : NULL;
    if (!entry)
        return false;
    uint32_t depth = *(const volatile uint32_t *)&entry->depth;
    if (depth > UNWIND_MAX_DEPTH ||
        !view_at(view, LEDGER_STACKS, offset, sizeof *entry + depth * sizeof(uint64_t)))
        return false;
    *out = (struct ledger_stack_view){entry->frames, depth, entry->end};
    return true;
}

uint32_t ledger_view_modules(const struct ledger_view *view)
{
    return view_entries(view, LEDGER_MODULES, sizeof(struct ledger_module));
}

bool ledger_view_module(const struct ledger_view *view, uint32_t module,
                        struct ledger_module_view *out)
{
    uint64_t offset = (uint64_t)module * sizeof(struct ledger_module);
    const struct ledger_module *entry =
        module ? view_at(view, LEDGER_MODULES, offset, sizeof *entry) : NULL;
    uint32_t path = entry ? LOAD_ACQUIRE(&entry->path) : 0;
    if (!path)
        return false;
    *out = (struct ledger_module_view){
        .start = entry->start,
        .limit = entry->limit,
        .file_offset = entry->file_offset,
        .bias = entry->bias,
        .build_id_size = entry->build_id_size,
        .is_main = entry->is_main,
        .is_vdso = entry->is_vdso,
        .is_self = entry->is_self,
        .path = ledger_view_string(view, path, NULL),
    };
    memcpy(out->build_id, entry->build_id, sizeof out->build_id);
    if (out->build_id_size > sizeof out->build_id)
        out->build_id_size = 0;
    return true;
}

uint32_t ledger_view_threads(const struct ledger_view *view)
{
    return view_entries(view, LEDGER_THREADS, sizeof(struct ledger_thread));
}

bool ledger_view_thread(const struct ledger_view *view, uint32_t thread,
                        struct ledger_thread_view *out)
{
    uint64_t offset = (uint64_t)thread * sizeof(struct ledger_thread);
    const struct ledger_thread *entry =
        thread ? view_at(view, LEDGER_THREADS, offset, sizeof *entry) : NULL;
    uint32_t tid = entry ? LOAD_ACQUIRE(&entry->tid) : 0;
    if (!tid)
        return false;
    *out = (struct ledger_thread_view){
        .tid = tid,
        .creator = entry->creator,
        .start_ns = entry->start_ns,
        .end_ns = LOAD(&entry->end_ns),
        .cpu_ns = LOAD(&entry->cpu_ns),
        .walk = LOAD_ACQUIRE(&entry->walk),
        .walk_stack = LOAD(&entry->walk_stack),
        .asked = LOAD_ACQUIRE(&entry->asked),
        .waiting_ns = LOAD(&entry->waiting_ns),
        .syscall = entry->syscall,
        .state = entry->state,
        .wait_site = LOAD_ACQUIRE(&entry->wait_site),
        .wait_since_ns = LOAD(&entry->wait_since_ns),
    };
    memcpy(out->wchan, entry->wchan, LEDGER_THREAD_WCHAN);
    memcpy(out->name, entry->name, LEDGER_THREAD_NAME);
    return true;
}

const char *ledger_view_string(const struct ledger_view *view, uint32_t string, size_t *length)
{
    const struct ledger_string *entry =
        string && string % 4 == 0 ? view_at(view, LEDGER_STRINGS, string, sizeof *entry) : NULL;
    uint32_t size = entry ? *(const volatile uint32_t *)&entry->length : 0;
    if (size &&
        (size > UINT16_MAX || !view_at(view, LEDGER_STRINGS, string, sizeof *entry + size + 1) ||
         *(const volatile char *)&entry->text[size] != '\0'))
        size = 0;
    if (length)
        *length = size;
    return size ? entry->text : "";
}

uint64_t ledger_view_stat(const struct ledger_view *view, enum ledger_stat stat)
{
    return LOAD(&view->header->stats[stat]);
}

const char *ledger_stat_sentence(enum ledger_stat stat)
{
    static const char *const sentences[] = {
#define STAT_SENTENCE(name, loss, sentence) [LEDGER_STAT_##name] = sentence,
        LEDGER_STATS(STAT_SENTENCE)
#undef STAT_SENTENCE
    };
    return sentences[stat];
}

bool ledger_stat_is_loss(enum ledger_stat stat)
{
    static const bool losses[] = {
#define STAT_LOSS(name, loss, sentence) [LEDGER_STAT_##name] = loss,
        LEDGER_STATS(STAT_LOSS)
#undef STAT_LOSS
    };
    return losses[stat];
}
