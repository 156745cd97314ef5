#include "wire/locations.h"

#include "kit/text.h"
#include "wire/frame.h"
#include <string.h>

#define SLOTS_FIRST 512u /* two pages: a small profile touches no more */

struct location_entry {
    uint64_t frame;
    uint32_t id; /* 0 = free */
};

static uint32_t mapping_write(struct locations *locations, Perftools__Profiles__Mapping *mapping)
{
    Perftools__Profiles__Profile part = PERFTOOLS__PROFILES__PROFILE__INIT;

    mapping->id = ++locations->mapping_count;
    part.n_mapping = 1;
    part.mapping = &mapping;
    if (!stream_part(locations->stream, &part))
        locations->failed = true;
    return locations->mapping_count;
}

static uint32_t module_write(struct locations *locations, const struct ledger_module_view *module)
{
    static const char deleted[] = " (deleted)";
    Perftools__Profiles__Mapping mapping = PERFTOOLS__PROFILES__MAPPING__INIT;
    char build_id[2 * sizeof module->build_id + 1];
    size_t length = strnlen(module->path, STRINGS_LONGEST), suffix = sizeof deleted - 1;
    struct text text;

    if (length > suffix && memcmp(module->path + length - suffix, deleted, suffix) == 0)
        length -= suffix;
    text_init(&text, build_id, sizeof build_id);
    text_hex(&text, module->build_id, module->build_id_size);
    mapping.memory_start = module->start;
    mapping.memory_limit = module->limit;
    mapping.file_offset = module->file_offset;
    if (module->is_vdso)
        mapping.filename = string_table_literal(locations->strings, "[vdso]");
    else
        mapping.filename = string_table_enter(locations->strings, module->path, length);
    mapping.build_id = string_table_literal(locations->strings, build_id);
    return mapping_write(locations, &mapping);
}

/* Mapping 1 whatever has been sampled: reports take their title from it. */
static void main_write(struct locations *locations)
{
    uint32_t count = ledger_view_modules(locations->view);
    Perftools__Profiles__Mapping unknown = PERFTOOLS__PROFILES__MAPPING__INIT;
    struct ledger_module_view module;
    const char *exe;
    size_t length;

    for (uint32_t i = 1; i < count && i <= LEDGER_MODULES_MAX; i++)
        if (ledger_view_module(locations->view, i, &module) && module.is_main) {
            locations->mapping_ids[i] = module_write(locations, &module);
            return;
        }
    /* no address in the program itself has been seen yet */
    exe = ledger_view_string(locations->view, locations->view->header->exe, &length);
    unknown.filename = string_table_enter(locations->strings, exe, length);
    mapping_write(locations, &unknown);
}

void locations_init(struct locations *locations, struct arena *arena, struct stream *stream,
                    struct string_table *strings, const struct ledger_view *view)
{
    memset(locations, 0, sizeof *locations);
    locations->arena = arena;
    locations->stream = stream;
    locations->strings = strings;
    locations->view = view;
    locations->mapping_ids =
        arena_alloc(arena, (LEDGER_MODULES_MAX + 1) * sizeof *locations->mapping_ids);
    if (locations->mapping_ids)
        main_write(locations);
    else
        locations->failed = true;
}

static uint64_t mapping_id(struct locations *locations, unsigned module)
{
    struct ledger_module_view view;

    if (module == 0 || module > LEDGER_MODULES_MAX)
        return 0;
    if (!locations->mapping_ids[module] && ledger_view_module(locations->view, module, &view))
        locations->mapping_ids[module] = module_write(locations, &view);
    return locations->mapping_ids[module];
}

static struct location_entry *find(const struct locations *locations, uint64_t frame)
{
    uint64_t at = frame * UINT64_C(0x9e3779b97f4a7c15) >> 32; /* 2^64 / the golden ratio */

    for (;; at++) {
        struct location_entry *slot = &locations->slots[at & (locations->size - 1)];
        if (!slot->id || slot->frame == frame)
            return slot;
    }
}

static bool grow(struct locations *locations)
{
    struct location_entry *old = locations->slots;
    uint32_t old_size = locations->size, size = old_size ? old_size * 2 : SLOTS_FIRST;
    struct location_entry *slots = arena_alloc(locations->arena, size * sizeof *slots);

    if (!slots)
        return false;
    locations->slots = slots;
    locations->size = size;
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i].id)
            *find(locations, old[i].frame) = old[i];
    return true;
}

static uint32_t location_write(struct locations *locations, Perftools__Profiles__Location *location)
{
    Perftools__Profiles__Profile part = PERFTOOLS__PROFILES__PROFILE__INIT;

    location->id = ++locations->count;
    part.n_location = 1;
    part.location = &location;
    if (!stream_part(locations->stream, &part))
        locations->failed = true;
    return locations->count;
}

uint64_t locations_id(struct locations *locations, uint64_t frame)
{
    Perftools__Profiles__Location location = PERFTOOLS__PROFILES__LOCATION__INIT;
    struct location_entry *slot;

    if (locations->failed || (locations->count >= locations->size / 2 && !grow(locations))) {
        locations->failed = true;
        return 0;
    }
    slot = find(locations, frame);
    if (!slot->id) {
        location.mapping_id = mapping_id(locations, UNWIND_MODULE(frame));
        location.address = UNWIND_ADDRESS(frame);
        slot->frame = frame;
        slot->id = location_write(locations, &location);
    }
    return slot->id;
}

uint64_t locations_synthetic_id(struct locations *locations, enum location_synthetic which)
{
    static const char *const names[LOCATION_SYNTHETICS] = {
        [LOCATION_TRUNCATED] = "[truncated]",
        [LOCATION_INCOMPLETE] = "[incomplete]",
        [LOCATION_LOST_SAMPLES] = "[lost samples]",
        [LOCATION_NO_STACK] = "[no stack]",
    };
    Perftools__Profiles__Profile part = PERFTOOLS__PROFILES__PROFILE__INIT;
    Perftools__Profiles__Function function = PERFTOOLS__PROFILES__FUNCTION__INIT;
    Perftools__Profiles__Function *functions = &function;
    Perftools__Profiles__Location location = PERFTOOLS__PROFILES__LOCATION__INIT;
    Perftools__Profiles__Line line = PERFTOOLS__PROFILES__LINE__INIT;
    Perftools__Profiles__Line *lines = &line;

    if (locations->synthetic_ids[which])
        return locations->synthetic_ids[which];
    function.id = ++locations->function_count;
    function.name = function.system_name = string_table_literal(locations->strings, names[which]);
    part.n_function = 1;
    part.function = &functions;
    if (!stream_part(locations->stream, &part))
        locations->failed = true;
    line.function_id = function.id;
    /* readers tell stacks apart by addresses: no two the same, none a real one */
    location.address = (uint64_t)which + 1;
    location.n_line = 1;
    location.line = &lines;
    locations->synthetic_ids[which] = location_write(locations, &location);
    return locations->synthetic_ids[which];
}
