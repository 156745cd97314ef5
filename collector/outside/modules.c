#include "outside/modules.h"

#include <gelf.h>
#include <stdio.h>

static const char *hex(struct profile *p, const unsigned char *bytes, int length)
{
    char text[129];
    int n = 0;
    for (; n < length && n < 64; n++)
        snprintf(text + 2 * n, 3, "%02x", bytes[n]);
    return profile_intern_n(p, text, (size_t)n * 2);
}

/* A mapping for each executable segment of a module. */
static int add_module(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                      void *arg)
{
    struct profile *p = arg;
    const char *file = NULL;
    GElf_Addr bias;
    Elf *elf = dwfl_module_getelf(module, &bias);
    size_t count = 0;
    dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, &file, NULL);
    if (!elf || elf_getphdrnum(elf, &count) != 0)
        return DWARF_CB_OK;
    for (size_t n = 0; n < count; n++) {
        GElf_Phdr header;
        if (!gelf_getphdr(elf, (int)n, &header) || header.p_type != PT_LOAD ||
            !(header.p_flags & PF_X))
            continue;
        struct profile_mapping *m = profile_add_mapping(p);
        uint64_t page = 4095, start = header.p_vaddr & ~page;
        m->start = start + bias;
        m->limit = ((header.p_vaddr + header.p_memsz + page) & ~page) + bias;
        m->offset = header.p_offset & ~page;
        m->file = profile_intern(p, file ? file : name);
        const unsigned char *id;
        GElf_Addr where;
        int length = dwfl_module_build_id(module, &id, &where);
        m->build_id = length > 0 ? hex(p, id, length) : profile_intern(p, "");
    }
    return DWARF_CB_OK;
}

static struct profile_mapping *find_mapping(const struct profile *p, uint64_t address)
{
    for (size_t n = 0; n < p->n_mappings; n++)
        if (address >= p->mappings[n]->start && address < p->mappings[n]->limit)
            return p->mappings[n];
    return NULL;
}

/* Threads share most of their frames' addresses; there are few of them. */
struct profile_location *modules_location(struct profile *p, uint64_t address)
{
    for (size_t n = p->n_locations; n > 0; n--)
        if (p->locations[n - 1]->address == address)
            return p->locations[n - 1];
    return profile_add_location(p, find_mapping(p, address), address, 0);
}

void modules_add(struct profile *p, Dwfl *dwfl)
{
    dwfl_getmodules(dwfl, add_module, p, 0);
}
