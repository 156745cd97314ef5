#include "unwind/module_loader.h"
#include "runtime/optional.h"
#include "unwind/module_object.h"

#include <link.h>
#include <string.h>
#include <sys/auxv.h>

/* The objects loaded at the start, which are never unloaded: the first so many of the
 * loader's list. Where we have no list (glibc < 2.35) the program alone is known. */
static const void *initial_first;
static unsigned initial_count;

static uintptr_t vdso_start, vdso_limit;

/*
 * _dl_find_object(3) of glibc 2.35 and later, or NULL. Looked up at the start: a reference to it,
 * even a weak one, would need the version GLIBC_2.35, and older loaders refuse a library that does.
 * The structure is part of the interface (dlfcn.h); it is declared here for older headers.
 */
struct found_object {
    unsigned long long flags;
    void *map_start, *map_end;
    struct link_map *link_map;
    void *eh_frame;
#if defined(__aarch64__) || defined(__x86_64__)
    unsigned long long reserved[7];
#else
#error "the layout of struct dl_find_object is not known for this processor"
#endif
};
static int (*find_object)(void *pc, struct found_object *result);

/* Without it: the loader's list (r_debug of link.h), which any thread may read word by word. */
static const struct r_debug *list;
static unsigned list_initial; /* its first so many are never unloaded, and need no checked read */
#define LIST_MAX 4096

bool module_loader_can_find(void)
{
    return find_object != NULL;
}

bool module_loader_is_vdso(uintptr_t pc)
{
    return pc >= vdso_start && pc < vdso_limit;
}

bool module_loader_is_program(bool first, const char *name, struct effort *effort)
{
    char character;
    return first && name && module_copy(&character, (uintptr_t)name, 1, effort) &&
           character == '\0';
}

bool module_loader_find(uintptr_t pc, struct object *object, struct effort *effort)
{
    struct found_object found;
    if (module_loader_is_vdso(pc)) {
        *object = (struct object){
            .map_start = vdso_start, .map_limit = vdso_limit, .name = "[vdso]", .effort = effort};
        return true;
    }
    if (!find_object || find_object((void *)pc, &found) != 0)
        return false;
    *object = (struct object){
        .map_start = (uintptr_t)found.map_start,
        .map_limit = (uintptr_t)found.map_end,
        .link_map = found.link_map,
        .eh_frame_hdr = (uintptr_t)found.eh_frame,
        .effort = effort,
    };
    return true;
}

bool module_loader_search(uintptr_t pc, struct object *object, struct effort *effort)
{
    struct link_map map, best = {.l_addr = 0};
    uintptr_t next = list ? (uintptr_t)list->r_map : 0;
    bool stays = false;
    for (unsigned n = 0; next && n < LIST_MAX; n++) {
        if (n < list_initial)
            memcpy(&map, (const void *)next, sizeof map);
        else if (!module_copy(&map, next, sizeof map, effort))
            return false;
        if (map.l_addr <= pc && map.l_addr > best.l_addr) {
            best = map;
            stays = n < list_initial;
        }
        next = (uintptr_t)map.l_next;
    }
    ElfW(Ehdr) header;
    if (!best.l_addr)
        return false;
    if (stays)
        memcpy(&header, (const void *)best.l_addr, sizeof header);
    else if (!module_copy(&header, best.l_addr, sizeof header, effort))
        return false;
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(ElfW(Phdr)))
        return false;
    uintptr_t headers = best.l_addr + header.e_phoff;
    *object = (struct object){
        .map_start = best.l_addr,
        .map_limit = UINTPTR_MAX, /* up to the next object, which is then found instead */
        .bias = best.l_addr,
        .link_map = (const void *)headers, /* the name that module_refresh gives to a load */
        .name = best.l_name,
        .program_headers = headers,
        .program_header_count = header.e_phnum,
        .effort = effort,
    };
    return true;
}

bool module_loader_complete(struct object *object)
{
    struct link_map map;
    if (!object->link_map)
        return true;
    /* The link map may be freed under us by a dlclose in another thread. */
    if (!module_copy(&map, (uintptr_t)object->link_map, sizeof map, object->effort))
        return false;
    object->bias = map.l_addr;
    object->name = map.l_name;
    object->is_program = module_loader_is_program(map.l_prev == NULL, map.l_name, object->effort);
    return true;
}

bool module_loader_still_has(const struct module_entry *entry)
{
    struct found_object found;
    return find_object && find_object((void *)entry->module.start, &found) == 0 &&
           found.link_map == atomic_load(&entry->link_map) &&
           (uintptr_t)found.map_start == entry->object_start &&
           found.eh_frame == entry->module.eh_frame_hdr;
}

bool module_loader_is_initial(const void *link_map)
{
    const struct link_map *map = initial_first;
    if (!find_object)
        return link_map == initial_first;
    for (unsigned i = 0; map && i < initial_count; i++, map = map->l_next)
        if (map == link_map)
            return true;
    return false;
}

static void remember_initial(void)
{
    struct found_object found;
    if (!find_object || find_object((void *)getauxval(AT_ENTRY), &found) != 0)
        return;
    struct link_map *map = found.link_map;
    while (map->l_prev)
        map = map->l_prev;
    initial_first = map;
    for (; map; map = map->l_next)
        initial_count++;
}

void module_loader_set_first(const void *link_map)
{
    if (!initial_first)
        initial_first = link_map;
}

#define QUOTE(name) #name
#define QUOTED(name) QUOTE(name)

void module_loader_init(void)
{
    void *function = optional_function(QUOTED(_dl_find_object)); /* a test gives it another name */
    memcpy(&find_object, &function, sizeof function);
    if (!find_object && !list) {
        list = optional_function("_r_debug");
        for (const struct link_map *map = list ? list->r_map : NULL; map; map = map->l_next)
            list_initial++;
    }
    if (!initial_first)
        remember_initial();
    const ElfW(Ehdr) *vdso = (const ElfW(Ehdr) *)getauxval(AT_SYSINFO_EHDR);
    if (!vdso)
        return;
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)((uintptr_t)vdso + vdso->e_phoff);
    vdso_start = (uintptr_t)vdso;
    for (unsigned i = 0; i < vdso->e_phnum; i++)
        if (headers[i].p_type == PT_LOAD)
            vdso_limit = vdso_start + headers[i].p_offset + headers[i].p_memsz;
}
