#include "unwind/module_table.h"
#include "kit/sections.h"

#include <string.h>

/* Entries and paths: 4096 modules of 250 bytes and a path each. In .bss, so
 * private, zeroed, copied by fork, and there before any constructor has run. */
#define ARENA_SIZE (2u << 20)
static COLD_TABLE _Alignas(16) char arena[ARENA_SIZE];
static _Atomic(size_t) arena_used;

/* Append-only. A slot goes from NULL to a finished entry by one compare and
 * swap; `count` follows. Whoever finds a slot taken and count behind moves
 * count on, so nobody waits for anybody, be it a thread that was interrupted,
 * or one that fork left behind. */
static COLD_TABLE _Atomic(struct module_entry *) entries[MODULE_MAX];
static _Atomic(unsigned) count = 1;
static _Atomic(unsigned) generation;

COLD_TABLE _Atomic(uint8_t) module_states[MODULE_MAX];
_Atomic(unsigned) module_unloading;

static void (*_Atomic sink)(unsigned, const struct module *);
static _Atomic(unsigned) sink_number;

#define ENTRY_SIZE ((sizeof(struct module_entry) + MODULE_PATH_MAX + 15) & ~(size_t)15)

struct module_entry *module_table_reserve(const struct module_entry *described, char **path)
{
    size_t at = atomic_fetch_add(&arena_used, ENTRY_SIZE);
    if (at + ENTRY_SIZE > ARENA_SIZE)
        return NULL;
    struct module_entry *entry = (struct module_entry *)(void *)(arena + at);
    memcpy(entry, described, sizeof *entry);
    *path = (char *)(entry + 1);
    return entry;
}

void module_table_trim(const struct module_entry *entry, size_t length)
{
    size_t end = (size_t)((const char *)entry - arena) + ENTRY_SIZE;
    size_t unused = MODULE_PATH_MAX - length - 1;
    atomic_compare_exchange_strong(&arena_used, &end, end - (unused & ~(size_t)15));
}

struct module_entry *module_table_entry(unsigned index)
{
    return atomic_load(&entries[index]);
}

const struct module_entry *module_entry_get(unsigned index)
{
    return index > 0 && index < atomic_load(&count) ? atomic_load(&entries[index]) : NULL;
}

const struct module *module_get(unsigned index)
{
    const struct module_entry *entry = module_entry_get(index);
    return entry ? &entry->module : NULL;
}

unsigned module_count(void)
{
    return atomic_load(&count);
}

unsigned module_generation(void)
{
    return atomic_load(&generation);
}

unsigned module_table_version(void)
{
    /* Both only grow, so the sum changes with either. */
    return atomic_load(&generation) + atomic_load(&count);
}

void module_table_announce(unsigned index, struct module_entry *entry)
{
    unsigned number = atomic_load(&sink_number);
    void (*to)(unsigned, const struct module *) = atomic_load(&sink);
    if (to && atomic_exchange(&entry->announced, number) != number)
        to(index, &entry->module);
}

void module_set_sink(void (*to)(unsigned index, const struct module *module))
{
    atomic_store(&sink, to);
    atomic_fetch_add(&sink_number, 1);
    for (unsigned i = 1; i < atomic_load(&count); i++)
        module_table_announce(i, atomic_load(&entries[i]));
}

static bool same_module(const struct module_entry *a, const struct module_entry *b)
{
    return atomic_load(&a->link_map) == atomic_load(&b->link_map) &&
           a->object_start == b->object_start && a->module.start == b->module.start;
}

/* Slot `index` holds an entry: let count say so. */
static void settle(unsigned index, const struct module_entry *entry)
{
    uint8_t unset = MODULE_PERMANENT;
    if (!entry->permanent)
        atomic_compare_exchange_strong(&module_states[index], &unset, MODULE_TRANSIENT);
    atomic_compare_exchange_strong(&count, &index, index + 1);
}

unsigned module_table_publish(struct module_entry *entry)
{
    for (unsigned i = 1; i < MODULE_MAX; i++) {
        struct module_entry *found = NULL;
        if (i >= atomic_load(&count) &&
            atomic_compare_exchange_strong(&entries[i], &found, entry)) {
            settle(i, entry);
            module_table_announce(i, entry);
            return i;
        }
        found = atomic_load(&entries[i]);
        settle(i, found);
        if (same_module(found, entry) && atomic_load(&module_states[i]) < MODULE_GONE)
            return i;
    }
    return 0;
}

unsigned module_table_search(uintptr_t pc)
{
    for (unsigned i = atomic_load(&count) - 1; i > 0; i--) {
        const struct module *module = &atomic_load(&entries[i])->module;
        if (pc >= module->start && pc < module->limit &&
            atomic_load(&module_states[i]) < MODULE_GONE)
            return i;
    }
    return 0;
}

void module_table_mark_gone(unsigned index, struct module_entry *entry)
{
    uint8_t live = MODULE_TRANSIENT;
    if (atomic_compare_exchange_strong(&module_states[index], &live, MODULE_GONE)) {
        atomic_store(&entry->module.unloaded, true);
        atomic_fetch_add(&generation, 1);
    }
}

unsigned module_table_take_back(const struct module_entry *described)
{
    const struct module *new = &described->module;
    if (described->permanent || new->build_id_size == 0)
        return 0;
    for (unsigned i = atomic_load(&count) - 1; i > 0; i--) {
        struct module_entry *entry = atomic_load(&entries[i]);
        const struct module *old = &entry->module;
        uint8_t gone = MODULE_GONE;
        if (atomic_load(&module_states[i]) != MODULE_GONE || old->start != new->start ||
            old->limit != new->limit || old->file_offset != new->file_offset ||
            old->bias != new->bias || old->eh_frame_hdr != new->eh_frame_hdr ||
            old->build_id_size != new->build_id_size ||
            memcmp(old->build_id, new->build_id, new->build_id_size) != 0 ||
            entry->object_start != described->object_start ||
            !atomic_compare_exchange_strong(&module_states[i], &gone, MODULE_RETURNING))
            continue;
        atomic_store(&entry->link_map, atomic_load(&described->link_map));
        atomic_store(&entry->module.unloaded, false);
        atomic_fetch_add(&generation, 1); /* its addresses were without a module meanwhile */
        atomic_store(&module_states[i], MODULE_TRANSIENT);
        return i;
    }
    return 0;
}
