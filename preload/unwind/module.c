#include "unwind/module.h"

#include "kit/sections.h"
#include "kit/sys.h"
#include "unwind/module_private.h"
#include "unwind/stack_memory.h"
#include "unwind/unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

/* Entries and paths: 4096 modules of 250 bytes and a path each. In .bss, so
 * private, zeroed, copied by fork, and there before any constructor has run. */
#define ARENA_SIZE (2u << 20)
static COLD_TABLE char arena[ARENA_SIZE];
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

/* Threads that read tables of modules that dlclose might take. */
static _Atomic(unsigned) readers;

static void (*_Atomic sink)(unsigned, const struct module *);
static _Atomic(unsigned) sink_number;

/* The objects loaded at the start, which are never unloaded: the first so many of the
 * loader's list. Where we have no list (glibc < 2.35) the program alone is known. */
static const void *initial_first;
static unsigned initial_count;

static uintptr_t vdso_start, vdso_limit;

#if __GLIBC_PREREQ(2, 35)
extern int _dl_find_object(void *, struct dl_find_object *) __attribute__((weak));
#else
struct dl_find_object {
    unsigned long long flags;
    void *dlfo_map_start, *dlfo_map_end;
    struct link_map *dlfo_link_map;
    void *dlfo_eh_frame;
    unsigned long long reserved[7];
};
extern int _dl_find_object(void *, struct dl_find_object *) __attribute__((weak));
#endif

static void *arena_allocate(size_t size)
{
    size_t aligned = (size + 15) & ~(size_t)15;
    size_t at = atomic_fetch_add(&arena_used, aligned);
    return at + aligned <= ARENA_SIZE ? arena + at : NULL;
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

static void announce(unsigned index, struct module_entry *entry)
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
        announce(i, atomic_load(&entries[i]));
}

static bool same_module(const struct module_entry *a, const struct module_entry *b)
{
    return atomic_load(&a->link_map) == atomic_load(&b->link_map) && a->object_start == b->object_start &&
           a->module.start == b->module.start;
}

/* Slot `index` holds an entry: let count say so. */
static void settle(unsigned index, const struct module_entry *entry)
{
    uint8_t unset = MODULE_PERMANENT;
    if (!entry->permanent)
        atomic_compare_exchange_strong(&module_states[index], &unset, MODULE_TRANSIENT);
    atomic_compare_exchange_strong(&count, &index, index + 1);
}

/* The index of a finished entry, or of the same module if another was faster; 0: full. */
static unsigned publish(struct module_entry *entry)
{
    for (unsigned i = 1; i < MODULE_MAX; i++) {
        struct module_entry *found = NULL;
        if (i >= atomic_load(&count) &&
            atomic_compare_exchange_strong(&entries[i], &found, entry)) {
            settle(i, entry);
            announce(i, entry);
            return i;
        }
        found = atomic_load(&entries[i]);
        settle(i, found);
        if (same_module(found, entry) && atomic_load(&module_states[i]) < MODULE_GONE)
            return i;
    }
    return 0;
}

static unsigned search(uintptr_t pc)
{
    for (unsigned i = atomic_load(&count) - 1; i > 0; i--) {
        const struct module *module = &atomic_load(&entries[i])->module;
        if (pc >= module->start && pc < module->limit &&
            atomic_load(&module_states[i]) < MODULE_GONE)
            return i;
    }
    return 0;
}

/*
 * Where objects have no code: most words of a stack that point into an object point at its
 * data, and what the headers say of them is not worth reading twice. An entry is three words
 * written without a lock; the third one ties them together, so that a reader who sees parts of
 * two writes finds a miss. It dies with its load, or with the table's generation.
 */
#define EMPTY_RANGES 1024u /* two for an object with one executable segment */
#define EMPTY_WAYS 4u

static COLD_TABLE struct empty_range {
    _Atomic(uint64_t) low, size, tag;
} empty_ranges[EMPTY_RANGES];

static uint64_t mix(uint64_t value)
{
    value *= UINT64_C(0x9e3779b97f4a7c15);
    return value ^ value >> 29;
}

static uint64_t load_key(const struct object *object)
{
    return mix(mix(mix((uintptr_t)object->link_map) ^ object->map_start) ^ object->eh_frame_hdr) ^
           atomic_load(&generation);
}

static struct empty_range *empty_at(uint64_t key, unsigned way)
{
    return &empty_ranges[((mix(key) >> 32) + way) % EMPTY_RANGES];
}

static uint64_t empty_tag(uint64_t key, uint64_t low, uint64_t size)
{
    return mix(mix(key ^ low) ^ size);
}

/* Is it known that there is no code at pc, which lies in this object? */
static bool is_empty(const struct object *object, uintptr_t pc)
{
    uint64_t key = load_key(object);
    for (unsigned way = 0; way < EMPTY_WAYS; way++) {
        struct empty_range *range = empty_at(key, way);
        uint64_t low = atomic_load(&range->low), size = atomic_load(&range->size);
        if (pc - low < size && atomic_load(&range->tag) == empty_tag(key, low, size))
            return true;
    }
    return false;
}

static void remember_empty(const struct object *object, const struct address_range *empty)
{
    uint64_t key = load_key(object), low = empty->low, size = empty->high - empty->low;
    unsigned way = 0;
    /* Over one that is another load's, if there is one. */
    for (; way < EMPTY_WAYS - 1; way++) {
        struct empty_range *range = empty_at(key, way);
        if (atomic_load(&range->tag) !=
            empty_tag(key, atomic_load(&range->low), atomic_load(&range->size)))
            break;
    }
    struct empty_range *range = empty_at(key, way);
    atomic_store(&range->tag, 0);
    atomic_store(&range->low, low);
    atomic_store(&range->size, size);
    atomic_store(&range->tag, empty_tag(key, low, size));
}

/* The first object of its namespace that the loader has no name for: the program. */
static bool is_program(bool first, const char *name, struct effort *effort)
{
    char character;
    return first && name && module_copy(&character, (uintptr_t)name, 1, effort) && character == '\0';
}

static bool find_object(uintptr_t pc, struct object *object, struct effort *effort)
{
    struct dl_find_object found;
    if (pc >= vdso_start && pc < vdso_limit) {
        *object =
            (struct object){.map_start = vdso_start, .map_limit = vdso_limit, .name = "[vdso]",
                            .effort = effort};
        return true;
    }
    if (!_dl_find_object || _dl_find_object((void *)pc, &found) != 0)
        return false;
    *object = (struct object){
        .map_start = (uintptr_t)found.dlfo_map_start,
        .map_limit = (uintptr_t)found.dlfo_map_end,
        .link_map = found.dlfo_link_map,
        .eh_frame_hdr = (uintptr_t)found.dlfo_eh_frame,
        .effort = effort,
    };
    return true;
}

/* What the loader's own record says of an object that find_object found. */
static bool complete_object(struct object *object)
{
    struct link_map map;
    if (!object->link_map)
        return true;
    /* The link map may be freed under us by a dlclose in another thread. */
    if (!module_copy(&map, (uintptr_t)object->link_map, sizeof map, object->effort))
        return false;
    object->bias = map.l_addr;
    object->name = map.l_name;
    object->is_program = is_program(map.l_prev == NULL, map.l_name, object->effort);
    return true;
}

/* Is the load that this module belongs to still where it was? */
static bool still_there(const struct module_entry *entry)
{
    struct dl_find_object found;
    return _dl_find_object && _dl_find_object((void *)entry->module.start, &found) == 0 &&
           found.dlfo_link_map == atomic_load(&entry->link_map) &&
           (uintptr_t)found.dlfo_map_start == entry->object_start &&
           found.dlfo_eh_frame == entry->module.eh_frame_hdr;
}

static void mark_gone(unsigned index, struct module_entry *entry)
{
    uint8_t live = MODULE_TRANSIENT;
    if (atomic_compare_exchange_strong(&module_states[index], &live, MODULE_GONE)) {
        atomic_store(&entry->module.unloaded, true);
        atomic_fetch_add(&generation, 1);
    }
}

static bool is_initial(const void *link_map)
{
    const struct link_map *map = initial_first;
    if (!_dl_find_object)
        return link_map == initial_first;
    for (unsigned i = 0; map && i < initial_count; i++, map = map->l_next)
        if (map == link_map)
            return true;
    return false;
}

/* Gives back the end of the last allocation, if nobody has allocated since. */
static void arena_trim(size_t end, size_t size)
{
    atomic_compare_exchange_strong(&arena_used, &end, end - (size & ~(size_t)15));
}

/* An entry of its own, with its path after it (not on the stack: handlers come here). */
static struct module_entry *keep(const struct module_entry *described, const struct object *object)
{
    const size_t size = sizeof *described + MODULE_PATH_MAX;
    struct module_entry *entry = arena_allocate(size);
    if (!entry)
        return NULL;
    memcpy(entry, described, sizeof *entry);
    char *path = (char *)(entry + 1);
    size_t length = module_path(object, described->module.is_main, path);
    path[length] = '\0';
    entry->module.path = path;
    arena_trim((size_t)((char *)entry - arena) + ((size + 15) & ~(size_t)15),
               MODULE_PATH_MAX - length - 1);
    return entry;
}

/*
 * An entry of the same segment of the same file at the same place, loaded before and unloaded
 * since, is current again: what was recorded with its index is as true of the new load.
 * Its index, or 0. Only the build ID tells that the file is the same.
 */
static unsigned take_back(const struct module_entry *described, const struct object *object)
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
            entry->object_start != object->map_start ||
            !atomic_compare_exchange_strong(&module_states[i], &gone, MODULE_RETURNING))
            continue;
        atomic_store(&entry->link_map, object->link_map);
        atomic_store(&entry->module.unloaded, false);
        atomic_fetch_add(&generation, 1); /* its addresses were without a module meanwhile */
        atomic_store(&module_states[i], MODULE_TRANSIENT);
        return i;
    }
    return 0;
}

static unsigned enter(const struct object *object, uintptr_t pc)
{
    struct module_entry described;
    struct address_range empty;
    memset(&described, 0, sizeof described);
    if (!module_describe(object, pc, &described, &empty)) {
        if (!object->effort || !object->effort->spent)
            remember_empty(object, &empty);
        return 0;
    }
    uintptr_t own = (uintptr_t)&module_find;
    atomic_store(&described.link_map, object->link_map);
    described.object_start = object->map_start;
    described.permanent = !object->link_map || is_initial(object->link_map);
    described.is_loader = object->link_map && described.module.bias == getauxval(AT_BASE);
    described.module.is_vdso = !object->link_map;
    described.module.is_main = object->is_program;
    described.module.is_self =
        !described.module.is_main && own >= described.module.start && own < described.module.limit;
    unsigned before = take_back(&described, object);
    if (before)
        return before;
    struct module_entry *entry = keep(&described, object);
    return entry ? publish(entry) : 0;
}

unsigned module_find(uintptr_t pc)
{
    return module_find_within(pc, NULL);
}

unsigned module_find_within(uintptr_t pc, struct effort *effort)
{
    struct object object;
    unsigned index = search(pc);
    if (index) {
        struct module_entry *entry = atomic_load(&entries[index]);
        announce(index, entry);
        if (entry->permanent || !_dl_find_object || still_there(entry))
            return index;
        /* Unloaded by a way that isn't our dlclose hook: the C library's own. */
        mark_gone(index, entry);
    }
    if (!find_object(pc, &object, effort) || is_empty(&object, pc) || !complete_object(&object))
        return 0;
    return enter(&object, pc);
}

bool module_read_begin(const struct module_entry *entry)
{
    if (entry->permanent)
        return true;
    atomic_fetch_add(&readers, 1);
    /* All of a dlclose may have passed since the entry was found. */
    if (atomic_load(&module_unloading) == 0 && !atomic_load(&entry->module.unloaded))
        return true;
    atomic_fetch_sub(&readers, 1);
    return false;
}

void module_read_end(const struct module_entry *entry)
{
    if (!entry->permanent)
        atomic_fetch_sub(&readers, 1);
}

/* A reader takes microseconds, or, descheduled on a busy machine, some tens of milliseconds: it
 * is waited for, for what it reads is going away. By naps, so that a real-time thread lets it
 * run; where a seccomp filter may forbid them, by turns. One that was left by longjmp never
 * ends: after so many whoever is still there is taken for that, and not waited for again. */
#define READER_NAP_NS 100000
#define READER_NAPS 20000 /* 2 s and more */
#define READER_TURNS 1000000

static _Atomic(unsigned) left_behind; /* of the readers */

void module_before_unload(void)
{
    const struct timespec nap = {.tv_nsec = READER_NAP_NS};
    bool naps = !sys_forbidden();
    atomic_fetch_add(&module_unloading, 1);
    unsigned reading, left = atomic_load(&left_behind);
    for (unsigned n = 0; (reading = atomic_load(&readers)) > left; n++) {
        if (n >= (naps ? READER_NAPS : READER_TURNS))
            left = reading;
        else if (naps)
            sys_call2(SYS_nanosleep, &nap, NULL);
    }
    /* As many are still there; or fewer, if those were only slow. */
    if (reading != atomic_load(&left_behind))
        atomic_store(&left_behind, reading);
}

void module_after_unload(void)
{
    if (!_dl_find_object)
        module_refresh();
    for (unsigned i = 1; _dl_find_object && i < atomic_load(&count); i++) {
        struct module_entry *entry = atomic_load(&entries[i]);
        if (atomic_load(&module_states[i]) == MODULE_TRANSIENT && !still_there(entry))
            mark_gone(i, entry);
    }
    unsigned under_way = atomic_load(&module_unloading);
    while (under_way > 0 &&
           !atomic_compare_exchange_weak(&module_unloading, &under_way, under_way - 1))
        ;
}

void module_after_fork_child(void)
{
    /* Their threads aren't here. */
    atomic_store(&readers, 0);
    atomic_store(&left_behind, 0);
    atomic_store(&module_unloading, 0);
}

/* Which modules a refresh has met. */
struct refresh {
    uint8_t met[MODULE_MAX];
    bool first;
};

static int refresh_object(struct dl_phdr_info *info, size_t size, void *data)
{
    struct refresh *refresh = data;
    struct object object = {
        .bias = info->dlpi_addr,
        .link_map = info->dlpi_phdr, /* as good a name for this load */
        .name = info->dlpi_name,
        .program_headers = (uintptr_t)info->dlpi_phdr,
        .program_header_count = info->dlpi_phnum,
        .is_program = is_program(refresh->first, info->dlpi_name, NULL),
    };
    if (refresh->first && !initial_first)
        initial_first = object.link_map;
    refresh->first = false;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t pc = info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
            continue;
        object.map_start = pc;
        unsigned index = search(pc);
        if (pc >= vdso_start && pc < vdso_limit)
            index = module_find(pc); /* which knows its name */
        else if (!index || atomic_load(&atomic_load(&entries[index])->link_map) != object.link_map)
            index = enter(&object, pc);
        refresh->met[index] = 1;
    }
    return 0;
}

void module_refresh(void)
{
    static COLD_TABLE struct refresh refresh; /* dl_iterate_phdr's lock protects it */
    if (_dl_find_object)
        return;
    memset(&refresh, 0, sizeof refresh);
    refresh.first = true;
    dl_iterate_phdr(refresh_object, &refresh);
    for (unsigned i = 1; i < atomic_load(&count); i++)
        if (!refresh.met[i] && atomic_load(&module_states[i]) == MODULE_TRANSIENT)
            mark_gone(i, atomic_load(&entries[i]));
}

static void remember_initial(void)
{
    struct dl_find_object found;
    if (!_dl_find_object || _dl_find_object((void *)getauxval(AT_ENTRY), &found) != 0)
        return;
    struct link_map *map = found.dlfo_link_map;
    while (map->l_prev)
        map = map->l_prev;
    initial_first = map;
    for (; map; map = map->l_next)
        initial_count++;
}

void module_init(void)
{
    if (!initial_first)
        remember_initial();
    const ElfW(Ehdr) *vdso = (const ElfW(Ehdr) *)getauxval(AT_SYSINFO_EHDR);
    if (vdso) {
        const ElfW(Phdr) *headers = (const ElfW(Phdr) *)((uintptr_t)vdso + vdso->e_phoff);
        vdso_start = (uintptr_t)vdso;
        for (unsigned i = 0; i < vdso->e_phnum; i++)
            if (headers[i].p_type == PT_LOAD)
                vdso_limit = vdso_start + headers[i].p_offset + headers[i].p_memsz;
    }
    module_refresh();
}

void unwind_set_program(const char *path)
{
    module_set_main_path(path);
    /* Where modules are described at the start (glibc < 2.35), the program is among them. */
    for (unsigned i = 1; path[0] && i < atomic_load(&count); i++) {
        struct module_entry *entry = atomic_load(&entries[i]);
        if (entry->module.is_main)
            entry->module.path = path;
    }
}
