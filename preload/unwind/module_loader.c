#include "unwind/module_loader.h"
#include "unwind/module_object.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>

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

bool module_loader_can_find(void)
{
    return _dl_find_object != NULL;
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
    struct dl_find_object found;
    if (module_loader_is_vdso(pc)) {
        *object = (struct object){
            .map_start = vdso_start, .map_limit = vdso_limit, .name = "[vdso]", .effort = effort};
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
    struct dl_find_object found;
    return _dl_find_object && _dl_find_object((void *)entry->module.start, &found) == 0 &&
           found.dlfo_link_map == atomic_load(&entry->link_map) &&
           (uintptr_t)found.dlfo_map_start == entry->object_start &&
           found.dlfo_eh_frame == entry->module.eh_frame_hdr;
}

bool module_loader_is_initial(const void *link_map)
{
    const struct link_map *map = initial_first;
    if (!_dl_find_object)
        return link_map == initial_first;
    for (unsigned i = 0; map && i < initial_count; i++, map = map->l_next)
        if (map == link_map)
            return true;
    return false;
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

void module_loader_set_first(const void *link_map)
{
    if (!initial_first)
        initial_first = link_map;
}

void module_loader_init(void)
{
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
