/*
 * Decoded protobuf messages -> the model, with every rule of the format checked.
 * Ids are resolved after everything is read: fields come in any order, and Go
 * writes its string table last.
 */
#include "profile/read_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "profile.pb-c.h"
#include "profile/profile_io.h"

typedef Perftools__Profiles__Profile ProtoProfile;

/* ---- An allocator for protobuf-c that has an end and frees all at once ---- */

#define ARENA_CHUNK ((size_t)1 << 20)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

struct arena {
    struct arena_chunk *chunks;
    size_t total;
};

static void *arena_alloc(void *data, size_t size)
{
    struct arena *a = data;
    size = (size + 15) & ~(size_t)15;
    struct arena_chunk *c = a->chunks;
    if (!c || c->size - c->used < size) {
        size_t room = size > ARENA_CHUNK ? size : ARENA_CHUNK;
        if (size > PROFILE_MAX_DECODED || a->total + room > PROFILE_MAX_DECODED)
            return NULL;
        c = malloc(sizeof(*c) + room);
        if (!c)
            return NULL;
        *c = (struct arena_chunk){.next = a->chunks, .size = room};
        a->chunks = c;
        a->total += room;
    }
    void *at = c->data + c->used;
    c->used += size;
    return at;
}

static void arena_free_one(void *data, void *at)
{
    (void)data;
    (void)at;
}

static void arena_free_all(struct arena *a)
{
    for (struct arena_chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
}

/* ---- The outermost level, looked at before anything is allocated ---- */

static bool get_varint(const unsigned char **at, const unsigned char *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        unsigned char c = *(*at)++;
        *value |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return true;
    }
    return false;
}

/* protobuf-c says only "no": find out what is wrong, and whether two profiles
 * were written one after the other (seen as two times of collection). */
static bool scan_fields(const unsigned char *data, size_t size, struct error *err)
{
    const unsigned char *at = data, *end = data + size;
    unsigned times = 0;
    while (at < end) {
        size_t offset = (size_t)(at - data);
        uint64_t tag, value;
        if (!get_varint(&at, end, &tag) || tag >> 3 == 0 || tag >> 3 > 536870911)
            return fail_with(err, "unrecognized profile format (byte %zu)", offset);
        switch (tag & 7) {
        case 0:
            if (!get_varint(&at, end, &value))
                return fail_with(err, "truncated: field %" PRIu64 " at byte %zu", tag >> 3, offset);
            times += tag >> 3 == 9 && value != 0;
            break;
        case 1:
        case 5:
            value = (tag & 7) == 1 ? 8 : 4;
            if ((size_t)(end - at) < value)
                return fail_with(err, "truncated: field %" PRIu64 " at byte %zu", tag >> 3, offset);
            at += value;
            break;
        case 2:
            if (!get_varint(&at, end, &value) || value > (size_t)(end - at))
                return fail_with(err,
                                 "truncated or not a profile: field %" PRIu64
                                 " at byte %zu claims %" PRIu64 " bytes, %zu are left",
                                 tag >> 3, offset, value, (size_t)(end - at));
            at += value;
            break;
        default:
            return fail_with(err, "unrecognized profile format (byte %zu)", offset);
        }
    }
    if (times > 1)
        return fail_with(err, "concatenated profiles detected");
    return true;
}

/* ---- Ids ---- */

struct id_entry {
    uint64_t id;
    size_t index;
};

/* Ids are nearly always 1..N in order: then no table is needed. */
struct id_map {
    struct id_entry *sorted; /* NULL: the identity */
    size_t n;
};

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = ((const struct id_entry *)a)->id, y = ((const struct id_entry *)b)->id;
    return (x > y) - (x < y);
}

/* entries is malloc'ed and taken over. */
static bool id_map_build(struct id_map *map, struct id_entry *entries, size_t n, const char *what,
                         struct error *err)
{
    bool identity = true;
    *map = (struct id_map){.sorted = entries, .n = n};
    for (size_t i = 0; i < n; i++) {
        if (!entries[i].id)
            return fail_with(err, "found %s with reserved ID=0", what);
        identity = identity && entries[i].id == i + 1;
    }
    if (identity) {
        free(entries);
        map->sorted = NULL;
        return true;
    }
    qsort(entries, n, sizeof(*entries), compare_ids);
    for (size_t i = 1; i < n; i++)
        if (entries[i].id == entries[i - 1].id)
            return fail_with(err, "multiple %ss with same id: %" PRIu64, what, entries[i].id);
    return true;
}

/* Index of an id, or -1. */
static ptrdiff_t id_map_find(const struct id_map *map, uint64_t id)
{
    if (!map->sorted)
        return id && id <= map->n ? (ptrdiff_t)id - 1 : -1;
    struct id_entry key = {.id = id}, *e;
    e = bsearch(&key, map->sorted, map->n, sizeof(key), compare_ids);
    return e ? (ptrdiff_t)e->index : -1;
}

#define ID_MAP_OF(map, list, n_list, what, err)                                                    \
    __extension__({                                                                                \
        struct id_entry *entries_ = mem_zero((n_list), sizeof(*entries_));                         \
        for (size_t i_ = 0; i_ < (n_list); i_++)                                                   \
            entries_[i_] = (struct id_entry){(list)[i_]->id, i_};                                  \
        id_map_build((map), entries_, (n_list), (what), (err));                                    \
    })

/* ---- Messages -> model ---- */

struct conversion {
    const ProtoProfile *in;
    struct profile *out;
    const char **strings; /* interned, by index */
    struct id_map mappings, locations, functions;
    struct error *err;
    bool bad_string;
    int64_t bad_index;
};

/* Bad indices are remembered and reported once at the end. */
static const char *string_at(struct conversion *c, int64_t index)
{
    if (index >= 0 && (uint64_t)index < c->in->n_string_table)
        return c->strings[index]; /* NOLINT(clang-analyzer-core.NullDereference): read first */
    c->bad_string = true;
    c->bad_index = index;
    return profile_intern(c->out, "");
}

static bool convert_strings(struct conversion *c)
{
    const ProtoProfile *in = c->in;
    if (!in->n_string_table || *in->string_table[0])
        return fail_with(c->err, "unrecognized profile format (first item in string table "
                                 "is not the empty string)");
    c->strings = mem_zero(in->n_string_table, sizeof(*c->strings));
    for (size_t i = 0; i < in->n_string_table; i++)
        c->strings[i] = profile_intern(c->out, in->string_table[i]);
    return true;
}

static void convert_header(struct conversion *c)
{
    const ProtoProfile *in = c->in;
    struct profile *out = c->out;
    for (size_t i = 0; i < in->n_sample_type; i++)
        profile_add_sample_type(out, string_at(c, in->sample_type[i]->type),
                                string_at(c, in->sample_type[i]->unit));
    for (size_t i = 0; i < in->n_comment; i++)
        profile_add_comment(out, string_at(c, in->comment[i]));
    if (in->period_type) {
        out->period_type.type = string_at(c, in->period_type->type);
        out->period_type.unit = string_at(c, in->period_type->unit);
    }
    out->drop_frames = string_at(c, in->drop_frames);
    out->keep_frames = string_at(c, in->keep_frames);
    out->default_sample_type = string_at(c, in->default_sample_type);
    out->doc_url = string_at(c, in->doc_url);
    out->time_nanos = in->time_nanos;
    out->duration_nanos = in->duration_nanos;
    out->period = in->period;
}

static bool convert_mappings(struct conversion *c)
{
    const ProtoProfile *in = c->in;
    for (size_t i = 0; i < in->n_mapping; i++) {
        const Perftools__Profiles__Mapping *from = in->mapping[i];
        struct profile_mapping *m = profile_add_mapping(c->out);
        m->start = from->memory_start;
        m->limit = from->memory_limit;
        m->offset = from->file_offset;
        m->file = string_at(c, from->filename);
        m->build_id = string_at(c, from->build_id);
        m->has_functions = from->has_functions;
        m->has_filenames = from->has_filenames;
        m->has_line_numbers = from->has_line_numbers;
        m->has_inline_frames = from->has_inline_frames;
    }
    for (size_t i = 0; i < in->n_function; i++) {
        const Perftools__Profiles__Function *f = in->function[i];
        profile_add_function(c->out, string_at(c, f->name), string_at(c, f->system_name),
                             string_at(c, f->filename), f->start_line);
    }
    return ID_MAP_OF(&c->mappings, in->mapping, in->n_mapping, "mapping", c->err) &&
           ID_MAP_OF(&c->functions, in->function, in->n_function, "function", c->err);
}

static bool convert_locations(struct conversion *c)
{
    const ProtoProfile *in = c->in;
    for (size_t i = 0; i < in->n_location; i++) {
        const Perftools__Profiles__Location *from = in->location[i];
        ptrdiff_t m = id_map_find(&c->mappings, from->mapping_id);
        struct profile_location *l = profile_add_location(
            c->out, m < 0 ? NULL : c->out->mappings[m], from->address, from->n_line);
        l->is_folded = from->is_folded;
        for (size_t j = 0; j < from->n_line; j++) {
            ptrdiff_t f = id_map_find(&c->functions, from->line[j]->function_id);
            if (f < 0)
                return fail_with(c->err, "location id: %" PRIu64 " has a line with nil function",
                                 from->id);
            l->lines[j] = (struct profile_line){
                .function = c->out->functions[f],
                .line = from->line[j]->line,
                .column = from->line[j]->column,
            };
        }
    }
    return ID_MAP_OF(&c->locations, in->location, in->n_location, "location", c->err);
}

/* A label without a value says nothing: pprof drops it as well. */
static bool label_is_empty(const Perftools__Profiles__Label *l)
{
    return !l->str && !l->num && !l->num_unit;
}

static void convert_labels(struct conversion *c, const Perftools__Profiles__Sample *from,
                           struct profile_sample *s)
{
    for (size_t i = 0, at = 0; i < from->n_label; i++) {
        const Perftools__Profiles__Label *l = from->label[i];
        if (label_is_empty(l))
            continue;
        s->labels[at++] = (struct profile_label){
            .key = string_at(c, l->key),
            .str = l->str ? string_at(c, l->str) : NULL,
            .num = l->str ? 0 : l->num,
            .unit = string_at(c, l->str ? 0 : l->num_unit),
        };
    }
}

static bool convert_samples(struct conversion *c)
{
    const ProtoProfile *in = c->in;
    if (!in->n_sample_type && in->n_sample)
        return fail_with(c->err, "missing sample type information");
    for (size_t i = 0; i < in->n_sample; i++) {
        const Perftools__Profiles__Sample *from = in->sample[i];
        size_t n_labels = 0;
        if (from->n_value != in->n_sample_type)
            return fail_with(c->err, "mismatch: sample has %zu values vs. %zu types", from->n_value,
                             in->n_sample_type);
        for (size_t j = 0; j < from->n_label; j++)
            n_labels += !label_is_empty(from->label[j]);
        struct profile_sample *s = profile_add_sample(c->out, from->n_location_id, n_labels);
        memcpy(s->values, from->value, from->n_value * sizeof(*s->values));
        for (size_t j = 0; j < from->n_location_id; j++) {
            ptrdiff_t l = id_map_find(&c->locations, from->location_id[j]);
            if (l < 0)
                return fail_with(c->err,
                                 "sample has nil location (sample %zu, location id %" PRIu64 ")",
                                 i + 1, from->location_id[j]);
            s->locations[j] = c->out->locations[l];
        }
        convert_labels(c, from, s);
    }
    return true;
}

static bool convert(struct conversion *c)
{
    bool ok = convert_strings(c);
    if (ok)
        convert_header(c);
    ok = ok && convert_mappings(c) && convert_locations(c) && convert_samples(c);
    if (ok && c->bad_string)
        ok = fail_with(c->err,
                       "unrecognized profile format (string index %" PRId64
                       " is outside the table of %zu)",
                       c->bad_index, c->in->n_string_table);
    if (ok && !c->in->n_sample_type)
        ok = fail_with(c->err, "profile has no samples");
    free(c->strings);
    free(c->mappings.sorted);
    free(c->functions.sorted);
    free(c->locations.sorted);
    return ok;
}

struct profile *read_proto(const unsigned char *data, size_t size, struct error *err)
{
    struct arena arena = {0};
    ProtobufCAllocator allocator = {arena_alloc, arena_free_one, &arena};
    if (!scan_fields(data, size, err))
        return NULL;
    ProtoProfile *in = perftools__profiles__profile__unpack(&allocator, size, data);
    if (!in) {
        fail_with(err,
                  arena.total + ARENA_CHUNK > PROFILE_MAX_DECODED
                      ? "takes more than %zu MiB decoded: not read"
                      : "unrecognized profile format (malformed message)",
                  PROFILE_MAX_DECODED >> 20);
        arena_free_all(&arena);
        return NULL;
    }
    struct conversion c = {.in = in, .out = profile_new(), .err = err};
    if (!convert(&c)) {
        profile_free(c.out);
        c.out = NULL;
    }
    arena_free_all(&arena);
    return c.out;
}
