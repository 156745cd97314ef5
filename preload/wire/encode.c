#include "wire/encode.h"

#include "wire/comments.h"
#include "wire/frame.h"
#include "wire/locations.h"
#include "wire/stream.h"
#include "wire/string_table.h"
#include "wire/thread_state.h"
#include "wire/waits.h"
#include <string.h>

#define VALUES_MAX 4
#define LABELS_MAX 6

#define NO_SITES LEDGER_KINDS /* of a profile that is not made of sites */

struct value_type {
    char type[16], unit[12]; /* no pointers: ../README.md */
};

/* Names and order as Go writes them (formats of runtime/pprof): what -base,
 * dashboards and scrapers match. */
struct description {
    char name[16];
    enum ledger_kind kind;
    struct value_type types[VALUES_MAX]; /* the last one is shown by default */
    struct value_type period;
};

static const struct description descriptions[DUMP_PROFILES] = {
    [DUMP_HEAP] = {"heap",
                   LEDGER_KIND_HEAP,
                   {{"alloc_objects", "count"},
                    {"alloc_space", "bytes"},
                    {"inuse_objects", "count"},
                    {"inuse_space", "bytes"}},
                   {"space", "bytes"}},
    [DUMP_HEAPPEAK] = {"heappeak",
                       LEDGER_KIND_HEAP,
                       {{"inuse_objects", "count"}, {"inuse_space", "bytes"}},
                       {"space", "bytes"}},
    [DUMP_CPU] = {"cpu",
                  LEDGER_KIND_CPU,
                  {{"samples", "count"}, {"cpu", "nanoseconds"}},
                  {"cpu", "nanoseconds"}},
    [DUMP_THREADS] = {"threads", NO_SITES, {{"goroutine", "count"}}, {"goroutine", "count"}},
    [DUMP_THREADCREATE] = {"threadcreate",
                           LEDGER_KIND_THREADCREATE,
                           {{"threadcreate", "count"}},
                           {"threadcreate", "count"}},
    [DUMP_BLOCK] = {"block",
                    LEDGER_KIND_BLOCK,
                    {{"contentions", "count"}, {"delay", "nanoseconds"}},
                    {"contentions", "count"}},
    [DUMP_MUTEX] = {"mutex",
                    LEDGER_KIND_MUTEX,
                    {{"contentions", "count"}, {"delay", "nanoseconds"}},
                    {"contentions", "count"}},
};

struct encoder {
    const struct dump_request *request;
    const struct ledger_view *view;
    const struct description *description;
    struct stream *stream;
    struct string_table strings;
    struct locations locations;
    const struct waits *waits; /* block: those that are going on */
    unsigned values;           /* per sample */
    unsigned own_module; /* libprof.so's, whose frames aren't the program's; 0 = in no stack */
    uint64_t ids[UNWIND_MAX_DEPTH + 1];
    struct {
        int64_t bytes, thread, tid, id, lock;
    } words; /* string indexes of label keys and units */
};

/* A sample under construction. */
struct sample {
    int64_t values[VALUES_MAX];
    Perftools__Profiles__Label labels[LABELS_MAX];
    unsigned label_count;
};

const char *dump_profile_name(enum dump_profile profile)
{
    return descriptions[profile].name;
}

/*
 * Who called the allocator is of interest, not what it is made of: frames of these
 * names, and what they call, are dropped by readers (profile.proto). Mostly the
 * walk starts outside of them anyway; what is left are C++'s operators, and wrappers
 * that a library, the loader among them, compiled in.
 */
#define ALLOCATOR_FRAMES                                                                           \
    "(__libc_|__GI___libc_|_*rtld_|je_|tc_|mi_)?(malloc|calloc|realloc|reallocarray|memalign|"     \
    "posix_memalign|aligned_alloc|valloc|pvalloc)|operator new(\\[\\])?"

static bool write_head(struct encoder *encoder)
{
    const struct ledger_header *header = encoder->view->header;
    const struct description *description = encoder->description;
    Perftools__Profiles__Profile part = PERFTOOLS__PROFILES__PROFILE__INIT;
    Perftools__Profiles__ValueType types[VALUES_MAX], *type_list[VALUES_MAX];
    Perftools__Profiles__ValueType period = PERFTOOLS__PROFILES__VALUE_TYPE__INIT;

    for (encoder->values = 0; encoder->values < VALUES_MAX; encoder->values++) {
        const struct value_type *type = &description->types[encoder->values];
        if (type->type[0] == '\0')
            break;
        perftools__profiles__value_type__init(&types[encoder->values]);
        types[encoder->values].type = string_table_literal(&encoder->strings, type->type);
        types[encoder->values].unit = string_table_literal(&encoder->strings, type->unit);
        type_list[encoder->values] = &types[encoder->values];
        part.default_sample_type = types[encoder->values].type; /* the last */
    }
    part.n_sample_type = encoder->values;
    part.sample_type = type_list;
    period.type = string_table_literal(&encoder->strings, description->period.type);
    period.unit = string_table_literal(&encoder->strings, description->period.unit);
    part.period_type = &period;
    part.period = 1;
    part.time_nanos = (int64_t)encoder->request->now_ns;
    if (description->kind == LEDGER_KIND_HEAP) {
        part.period = (int64_t)header->heap_rate;
        part.drop_frames = string_table_literal(&encoder->strings, ALLOCATOR_FRAMES);
    }
    if (description->kind == LEDGER_KIND_CPU) {
        part.period = (int64_t)header->cpu_period_ns;
        /* the one window; the others are totals as of now, as in Go */
        if (encoder->request->now_mono_ns > header->start_mono_ns) {
            part.time_nanos = (int64_t)header->start_ns;
            part.duration_nanos = (int64_t)(encoder->request->now_mono_ns - header->start_mono_ns);
        }
    }
    return stream_part(encoder->stream, &part);
}

/* ids: count location ids in encoder->ids. */
static bool write_sample(struct encoder *encoder, struct sample *sample, unsigned count)
{
    Perftools__Profiles__Profile part = PERFTOOLS__PROFILES__PROFILE__INIT;
    Perftools__Profiles__Sample message = PERFTOOLS__PROFILES__SAMPLE__INIT;
    Perftools__Profiles__Sample *messages = &message;
    Perftools__Profiles__Label *labels[LABELS_MAX];

    for (unsigned i = 0; i < sample->label_count; i++)
        labels[i] = &sample->labels[i];
    message.n_location_id = count;
    message.location_id = encoder->ids;
    message.n_value = encoder->values;
    message.value = sample->values;
    message.n_label = sample->label_count;
    message.label = labels;
    part.n_sample = 1;
    part.sample = &messages;
    return stream_part(encoder->stream, &part);
}

static Perftools__Profiles__Label *label_add(struct sample *sample, int64_t key)
{
    Perftools__Profiles__Label *label = &sample->labels[sample->label_count++];

    perftools__profiles__label__init(label);
    label->key = key;
    return label;
}

static void label_number(struct sample *sample, int64_t key, uint64_t number, int64_t unit)
{
    Perftools__Profiles__Label *label = label_add(sample, key);

    label->num = (int64_t)number;
    label->num_unit = unit;
}

static unsigned find_own_module(const struct ledger_view *view)
{
    struct ledger_module_view module;

    for (uint32_t n = 1; n < ledger_view_modules(view); n++)
        if (ledger_view_module(view, n, &module) && module.is_self)
            return n;
    return 0;
}

/* A stack's locations into encoder->ids. Returns how many. */
static unsigned stack_ids(struct encoder *encoder, uint32_t stack)
{
    struct ledger_stack_view view;
    unsigned count = 0;

    if (!ledger_view_stack(encoder->view, stack, &view) || view.depth == 0) {
        encoder->ids[0] = locations_synthetic_id(&encoder->locations, LOCATION_NO_STACK);
        return 1;
    }
    /* the walk left out libprof's frames at the top; a wrapper that called on (pthread_create's,
     * say) is further down */
    for (unsigned n = 0; n < view.depth && n < UNWIND_MAX_DEPTH; n++) {
        uint64_t frame = view.frames[n];
        if (UNWIND_MODULE(frame) != encoder->own_module || !encoder->own_module)
            encoder->ids[count++] = locations_id(&encoder->locations, frame);
    }
    /* a cut stack must not look like one that begins there (hazard 30) */
    if (view.end != UNWIND_COMPLETE)
        encoder->ids[count++] = locations_synthetic_id(
            &encoder->locations,
            view.end == UNWIND_TRUNCATED ? LOCATION_TRUNCATED : LOCATION_INCOMPLETE);
    return count;
}

/* What was waited for: key, a block or mutex site's. */
static void label_lock(struct encoder *encoder, struct sample *sample, uint64_t key)
{
    static const char *const names[] = {
#define LOCK_NAME(name, label) [LEDGER_LOCK_##name] = label,
        LEDGER_LOCKS(LOCK_NAME)
#undef LOCK_NAME
    };
    if (key < LEDGER_LOCK_COUNT && names[key])
        label_add(sample, encoder->words.lock)->str =
            string_table_literal(&encoder->strings, names[key]);
}

static void label_thread(struct encoder *encoder, struct sample *sample, uint32_t thread)
{
    struct ledger_thread_view view;

    if (!ledger_view_thread(encoder->view, thread, &view))
        return;
    if (view.name[0]) {
        int64_t name = string_table_literal(&encoder->strings, view.name);
        label_add(sample, encoder->words.thread)->str = name;
    }
    label_number(sample, encoder->words.tid, view.tid, encoder->words.id);
}

/* A weighted number of objects and its bytes, each cut as Go does it. */
static int64_t cut(double value)
{
    return value < 0x1p63 ? (int64_t)value : INT64_MAX; /* only a damaged ledger has more */
}

static void scale(uint64_t objects, uint64_t size, double weight, int64_t *out)
{
    out[0] = cut((double)objects * weight);
    out[1] = cut((double)objects * (double)size * weight);
}

static void heap_values(const struct encoder *encoder, const struct ledger_site_view *site,
                        int64_t *values)
{
    uint64_t rate = encoder->view->header->heap_rate;
    double weight = rate <= 1 ? 1 : site->key ? ledger_heap_weight(site->key, rate) : 0;

    if (encoder->request->profile == DUMP_HEAPPEAK) {
        scale(site->peak, site->key, weight, values);
        return;
    }
    scale(site->count, site->key, weight, values);
    scale(site->count - site->value, site->key, weight, values + 2);
}

/* A site's sample; false when it has nothing to show. Sites are distinct by
 * stack and key, and a key is a label: no two samples are alike. */
static bool site_sample(struct encoder *encoder, const struct ledger_site_view *site,
                        struct sample *sample)
{
    memset(sample, 0, sizeof *sample);
    switch (site->kind) {
    case LEDGER_KIND_HEAP:
        heap_values(encoder, site, sample->values);
        label_number(sample, encoder->words.bytes, site->key, encoder->words.bytes);
        break;
    case LEDGER_KIND_CPU:
        sample->values[0] = (int64_t)site->count;
        sample->values[1] = (int64_t)site->value;
        if (site->count)
            label_thread(encoder, sample, (uint32_t)site->key);
        break;
    case LEDGER_KIND_THREADCREATE:
        sample->values[0] = (int64_t)site->count;
        break;
    case LEDGER_KIND_BLOCK:
    case LEDGER_KIND_MUTEX:
        sample->values[0] = (int64_t)((site->count + LEDGER_EVENT / 2) / LEDGER_EVENT);
        sample->values[1] = (int64_t)site->value;
        label_lock(encoder, sample, site->key);
        break;
    default:
        return false;
    }
    for (unsigned i = 0; i < encoder->values; i++)
        if (sample->values[i])
            return true;
    return false;
}

static void write_sites(struct encoder *encoder)
{
    uint32_t count = ledger_view_sites(encoder->view);
    struct ledger_site_view site;
    struct sample sample;

    for (uint32_t i = 1; i < count && !encoder->locations.failed; i++) {
        if (!ledger_view_site(encoder->view, i, &site) || site.kind != encoder->description->kind)
            continue;
        waits_add(encoder->waits, i, &site);
        if (site_sample(encoder, &site, &sample) &&
            !write_sample(encoder, &sample, stack_ids(encoder, site.stack)))
            return;
    }
}

static void label_state(struct encoder *encoder, struct sample *sample,
                        const struct ledger_thread_view *thread)
{
    struct string_table *strings = &encoder->strings;

    label_add(sample, string_table_literal(strings, "state"))->str =
        string_table_literal(strings, thread_state_name(thread->state, thread->syscall));
    if (thread->waiting_ns)
        label_number(sample, string_table_literal(strings, "wait"), thread->waiting_ns,
                     string_table_literal(strings, "nanoseconds"));
    if (thread->wchan[0])
        label_add(sample, string_table_literal(strings, "wchan"))->str =
            string_table_literal(strings, thread->wchan);
}

static void write_threads(struct encoder *encoder)
{
    uint32_t walk = atomic_load(&encoder->view->header->walk);
    uint32_t count = ledger_view_threads(encoder->view);
    struct ledger_thread_view thread;

    for (uint32_t i = 1; i < count && !encoder->locations.failed; i++) {
        struct sample sample = {.values = {1}};
        if (!ledger_view_thread(encoder->view, i, &thread) || thread.end_ns)
            continue;
        if (walk && thread.asked != walk && thread.walk != walk)
            continue; /* it ended unseen: the request came by every living thread */
        if (encoder->request->ended && (!walk || thread.walk != walk))
            continue; /* it never was seen anywhere, and is no more */
        label_thread(encoder, &sample, i);
        if (walk && thread.asked == walk)
            label_state(encoder, &sample, &thread);
        if (!write_sample(encoder, &sample,
                          stack_ids(encoder, thread.walk == walk ? thread.walk_stack : 0)))
            return;
    }
}

static void write_lost(struct encoder *encoder)
{
    uint64_t lost = ledger_view_stat(encoder->view, LEDGER_STAT_CPU_LOST);
    struct sample sample = {
        .values = {(int64_t)lost, (int64_t)(lost * encoder->view->header->cpu_period_ns)}};

    if (!lost)
        return;
    encoder->ids[0] = locations_synthetic_id(&encoder->locations, LOCATION_LOST_SAMPLES);
    write_sample(encoder, &sample, 1);
}

static const char *encode(struct encoder *encoder)
{
    encoder->words.bytes = string_table_literal(&encoder->strings, "bytes");
    encoder->words.thread = string_table_literal(&encoder->strings, "thread");
    encoder->words.tid = string_table_literal(&encoder->strings, "tid");
    encoder->words.lock = string_table_literal(&encoder->strings, "lock");
    encoder->words.id = string_table_literal(&encoder->strings, "id");
    if (!write_head(encoder))
        return "can't be written";
    comments_write(encoder->request, encoder->stream, &encoder->strings);
    if (encoder->description->kind == NO_SITES)
        write_threads(encoder);
    else
        write_sites(encoder);
    if (encoder->description->kind == LEDGER_KIND_CPU)
        write_lost(encoder);
    if (!stream_close(encoder->stream))
        return "can't be written";
    if (encoder->strings.failed || encoder->locations.failed)
        return "not enough memory";
    return NULL;
}

const char *dump_encode(const struct dump_request *request, struct sink *sink)
{
    struct arena arena = {0};
    struct encoder *encoder = arena_alloc(&arena, sizeof *encoder);
    const char *wrong = "not enough memory";

    if (encoder) {
        encoder->request = request;
        encoder->view = request->view;
        encoder->own_module = find_own_module(request->view);
        encoder->description = &descriptions[request->profile];
        if (encoder->description->kind == LEDGER_KIND_BLOCK)
            encoder->waits = waits_collect(&arena, request->view, request->now_mono_ns);
        encoder->stream = stream_open(&arena, sink);
    }
    if (encoder && encoder->stream) {
        string_table_init(&encoder->strings, &arena, encoder->stream);
        locations_init(&encoder->locations, &arena, encoder->stream, &encoder->strings,
                       request->view);
        wrong = encode(encoder);
    }
    arena_release(&arena);
    return wrong;
}

uint32_t dump_present(const struct ledger_view *view)
{
    uint32_t sites = ledger_view_sites(view), threads = ledger_view_threads(view), present = 0;
    struct ledger_site_view site;
    struct ledger_thread_view thread;

    for (uint32_t i = 1; i < sites; i++) {
        if (!ledger_view_site(view, i, &site) || !(site.count || site.value))
            continue;
        for (unsigned profile = 0; profile < DUMP_PROFILES; profile++)
            if (site.kind == descriptions[profile].kind && (profile != DUMP_HEAPPEAK || site.peak))
                present |= 1u << profile;
    }
    if (ledger_view_stat(view, LEDGER_STAT_CPU_LOST))
        present |= 1u << DUMP_CPU;
    if (waits_any(view))
        present |= 1u << DUMP_BLOCK;
    if (present && view->header->heap_rate && atomic_load(&view->header->own_malloc))
        present |= 1u << DUMP_HEAP; /* empty as it may be, it says why */
    for (uint32_t i = 1; i < threads && !(present & 1u << DUMP_THREADS); i++)
        if (ledger_view_thread(view, i, &thread) && !thread.end_ns)
            present |= 1u << DUMP_THREADS;
    return present;
}
