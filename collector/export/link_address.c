#include "export/link_address.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "symbolize/elf_file.h"

/* Longest call on x86-64: opcode, ModRM, SIB, 32-bit displacement. */
#define MAX_CALL 7

struct module {
    const struct profile_mapping *mapping;
    struct elf_file *file; /* NULL: not there, or another build */
    unsigned machine;      /* EM_*, EM_NONE without a file */
    uint64_t bias;         /* link-time minus run-time */
};

static bool is_right_build(const struct elf_file *file, const struct profile_mapping *m)
{
    return !*m->build_id || strcmp(file->build_id, m->build_id) == 0;
}

static void open_module(struct module *module, const struct profile_mapping *m)
{
    const char *why;
    GElf_Ehdr header;
    *module = (struct module){.mapping = m, .machine = EM_NONE};
    /* The kernel puts position independent programs far above 4 GiB. */
    if (m->start > UINT32_MAX)
        module->bias = m->offset - m->start;
    if (m->file[0] != '/')
        return;
    module->file = elf_file_open(m->file, &why);
    if (module->file &&
        (!is_right_build(module->file, m) ||
         !elf_file_find_bias(module->file, m->start, m->limit, m->offset, &module->bias))) {
        elf_file_close(module->file);
        module->file = NULL;
    }
    if (module->file && gelf_getehdr(module->file->elf, &header))
        module->machine = header.e_machine;
}

/* Length of the x86-64 call that ends with the last of the bytes; 0: there is none.
 * before and after: how far the mapping reaches around its end, where calls may go. */
static unsigned x86_call_length(const unsigned char code[MAX_CALL], uint64_t before, uint64_t after)
{
    const unsigned char *end = code + MAX_CALL;
    int32_t distance;
    memcpy(&distance, end - 4, sizeof(distance));
    bool is_inside =
        distance < 0 ? (uint64_t) - (int64_t)distance <= before : (uint64_t)distance < after;
    if (end[-5] == 0xe8 && is_inside)
        return 5;
    /* call *M: opcode ff, and 2 in the middle of the ModRM byte. */
    if (end[-6] == 0xff && (end[-5] == 0x15 || ((end[-5] & 0xf8) == 0x90 && end[-5] != 0x94)))
        return 6;
    if (end[-7] == 0xff && end[-6] == 0x94)
        return 7;
    if (end[-3] == 0xff && (end[-2] & 0xf8) == 0x50 && end[-2] != 0x54)
        return 3;
    if (end[-4] == 0xff && end[-3] == 0x54)
        return 4;
    if (end[-2] == 0xff && ((end[-1] & 0xf8) == 0xd0 || (end[-1] & 0xf8) == 0x10))
        return end[-3] == 0x41 ? 3 : 2; /* r8 to r15 take a prefix */
    return 0;
}

/* Run-time address of the call whose last byte is at `address`; address if unknown. */
static uint64_t find_call(const struct module *m, uint64_t address)
{
    unsigned char code[MAX_CALL];
    uint64_t past = address + 1 - m->mapping->start; /* in the mapping */
    if (m->machine == EM_AARCH64)
        return address & ~(uint64_t)3;
    if (m->machine != EM_X86_64 || past < MAX_CALL || address >= m->mapping->limit)
        return address;
    off_t at = (off_t)(m->mapping->offset + past - MAX_CALL);
    if (pread(m->file->fd, code, sizeof(code), at) != (ssize_t)sizeof(code))
        return address;
    unsigned length = x86_call_length(code, past, m->mapping->limit - address);
    return length ? address + 1 - length : address;
}

/* Which locations are call sites: the callers on every stack; where the samples are
 * calls themselves (allocations, waits) the leaves too. Only a timer interrupts code
 * between any two instructions. */
static bool *find_callers(const struct profile *p)
{
    bool *is_caller = mem_zero(p->n_locations + 1, sizeof(*is_caller));
    bool is_timed = strcmp(p->period_type.type, "cpu") == 0;
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *s = p->samples[i];
        for (size_t j = is_timed; j < s->n_locations; j++)
            is_caller[s->locations[j]->id - 1] = true;
    }
    return is_caller;
}

void link_address_resolve(const struct profile *p, struct frames *f)
{
    struct module *modules = mem_zero(p->n_mappings + 1, sizeof(*modules));
    bool *is_caller = find_callers(p);
    for (size_t i = 0; i < p->n_mappings; i++)
        open_module(&modules[i], p->mappings[i]);
    for (size_t i = 0; i < f->n; i++)
        f->list[i].address = UINT64_MAX;
    for (size_t i = 0; i < p->n_locations; i++) {
        const struct profile_location *l = p->locations[i];
        const struct module *m = l->mapping ? &modules[l->mapping->id - 1] : NULL;
        uint64_t address = l->address;
        if (m)
            address = (is_caller[i] ? find_call(m, address) : address) + m->bias;
        for (uint32_t site = f->first[i]; site < f->first[i + 1]; site++) {
            struct frame *frame = &f->list[f->sites[site].frame];
            f->sites[site].address = address;
            if (address < frame->address)
                frame->address = address;
        }
    }
    for (size_t i = 0; i < p->n_mappings; i++)
        elf_file_close(modules[i].file);
    free(modules);
    free(is_caller);
}
