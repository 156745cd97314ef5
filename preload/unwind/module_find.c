#include "kit/sections.h"
#include "unwind/module.h"
#include "unwind/module_empty.h"
#include "unwind/module_loader.h"
#include "unwind/module_object.h"
#include "unwind/module_table.h"
#include "unwind/stack_memory.h"
#include "unwind/unwind.h"

#include <link.h>
#include <string.h>
#include <sys/auxv.h>

/* An entry of its own, with its path after it (not on the stack: handlers come here). */
static struct module_entry *keep(const struct module_entry *described, const struct object *object)
{
    char *path;
    struct module_entry *entry = module_table_reserve(described, &path);
    if (!entry)
        return NULL;
    size_t length = module_path(object, described->module.is_main, path);
    path[length] = '\0';
    entry->module.path = path;
    module_table_trim(entry, length);
    return entry;
}

static unsigned enter(const struct object *object, uintptr_t pc)
{
    struct module_entry described;
    struct address_range empty;
    memset(&described, 0, sizeof described);
    if (!module_describe(object, pc, &described, &empty)) {
        if (!object->effort || !object->effort->spent)
            module_empty_remember(object, &empty);
        return 0;
    }
    uintptr_t own = (uintptr_t)&module_find;
    atomic_store(&described.link_map, object->link_map);
    described.object_start = object->map_start;
    described.permanent = !object->link_map || module_loader_is_initial(object->link_map);
    described.is_loader = object->link_map && described.module.bias == getauxval(AT_BASE);
    described.module.is_vdso = !object->link_map;
    described.module.is_main = object->is_program;
    described.module.is_self =
        !described.module.is_main && own >= described.module.start && own < described.module.limit;
    unsigned before = module_table_take_back(&described);
    if (before)
        return before;
    struct module_entry *entry = keep(&described, object);
    return entry ? module_table_publish(entry) : 0;
}

unsigned module_find(uintptr_t pc)
{
    return module_find_within(pc, NULL);
}

unsigned module_find_within(uintptr_t pc, struct effort *effort)
{
    struct object object;
    unsigned index = module_table_search(pc);
    if (index) {
        struct module_entry *entry = module_table_entry(index);
        module_table_announce(index, entry);
        if (entry->permanent || !module_loader_can_find() || module_loader_still_has(entry))
            return index;
        /* Unloaded by a way that isn't our dlclose hook: the C library's own. */
        module_table_mark_gone(index, entry);
    }
    if (module_loader_find(pc, &object, effort)) {
        if (module_empty_has(&object, pc) || !module_loader_complete(&object))
            return 0;
    } else if (module_loader_can_find() || !module_loader_search(pc, &object, effort) ||
               module_empty_has(&object, pc)) {
        return 0;
    }
    return enter(&object, pc);
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
        .is_program = module_loader_is_program(refresh->first, info->dlpi_name, NULL),
    };
    if (refresh->first)
        module_loader_set_first(object.link_map);
    refresh->first = false;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t pc = info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
            continue;
        object.map_start = pc;
        unsigned index = module_table_search(pc);
        if (module_loader_is_vdso(pc))
            index = module_find(pc); /* which knows its name */
        else if (!index || atomic_load(&module_table_entry(index)->link_map) != object.link_map)
            index = enter(&object, pc);
        refresh->met[index] = 1;
    }
    return 0;
}

void module_refresh(void)
{
    static COLD_TABLE struct refresh refresh; /* dl_iterate_phdr's lock protects it */
    if (module_loader_can_find())
        return;
    memset(&refresh, 0, sizeof refresh);
    refresh.first = true;
    dl_iterate_phdr(refresh_object, &refresh);
    for (unsigned i = 1; i < module_count(); i++)
        if (!refresh.met[i] && atomic_load(&module_states[i]) == MODULE_TRANSIENT)
            module_table_mark_gone(i, module_table_entry(i));
}

void module_init(void)
{
    module_loader_init();
    module_refresh();
}

void unwind_set_program(const char *path)
{
    module_set_main_path(path);
    /* Where modules are described at the start (glibc < 2.35), the program is among them. */
    for (unsigned i = 1; path[0] && i < module_count(); i++) {
        struct module_entry *entry = module_table_entry(i);
        if (entry->module.is_main)
            entry->module.path = path;
    }
}
