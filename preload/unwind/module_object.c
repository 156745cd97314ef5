#include "unwind/module_object.h"
#include "kit/sys.h"
#include "unwind/stack_memory.h"
#include "unwind/unwind.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#define PAGE 4096u
#define HEADERS_MAX 256 /* program headers looked at; linkers make 7 to 15 */
#define NOTES_MAX 64    /* notes looked at in a segment; linkers make one or two */

static const char *main_path = "";

bool module_copy(void *to, uintptr_t from, size_t size, struct effort *effort)
{
    switch (memory_copy(to, from, size, effort)) {
    case MEMORY_COPIED:
        return true;
    case MEMORY_UNREADABLE:
        return false;
    default:
        break;
    }
    /* No system calls: as long as nothing is being unloaded it is there. */
    if (atomic_load(&module_unloading) != 0)
        return false;
    memcpy(to, (const void *)from, size);
    return true;
}

/* Looks for NT_GNU_BUILD_ID in the notes of [at, limit). */
static void read_build_id(uintptr_t at, uintptr_t limit, uintptr_t align, struct module *module,
                          struct effort *effort)
{
    for (unsigned i = 0; i < NOTES_MAX && at < limit && limit - at >= 16; i++) {
        struct {
            ElfW(Nhdr) header;
            char name[4];
        } note;
        if (!module_copy(&note, at, sizeof note, effort))
            return;
        uintptr_t descriptor = at + 12 + ((note.header.n_namesz + align - 1) & ~(align - 1));
        uintptr_t next = descriptor + ((note.header.n_descsz + align - 1) & ~(align - 1));
        if (note.header.n_namesz > limit - at || note.header.n_descsz > limit - at ||
            next > limit + align)
            return;
        if (note.header.n_type == NT_GNU_BUILD_ID && note.header.n_namesz == 4 &&
            memcmp(note.name, "GNU", 4) == 0 && note.header.n_descsz <= MODULE_BUILD_ID_MAX) {
            if (module_copy(module->build_id, descriptor, note.header.n_descsz, effort))
                module->build_id_size = (uint8_t)note.header.n_descsz;
            return;
        }
        at = next;
    }
}

static bool headers_at(uintptr_t start, uintptr_t *headers, unsigned *count, struct effort *effort)
{
    ElfW(Ehdr) elf;
    if (start == 0 || !module_copy(&elf, start, sizeof elf, effort) ||
        memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_phentsize != sizeof(ElfW(Phdr)))
        return false;
    *headers = start + elf.e_phoff;
    *count = elf.e_phnum;
    return true;
}

/* Finds the program headers when they aren't known. The program's are in the
 * auxiliary vector. Others': by the ELF header at the start of the object; but
 * where its segments have holes between them _dl_find_object gives the one
 * segment, and then the header lies at the load bias, for libraries are linked
 * at 0. */
static bool find_headers(const struct object *object, uintptr_t *headers, unsigned *count)
{
    *headers = object->program_headers;
    *count = object->program_header_count;
    if (*headers)
        return true;
    uintptr_t own = getauxval(AT_PHDR);
    if (object->is_program && own != 0 && getauxval(AT_BASE) != 0) {
        *headers = own;
        *count = (unsigned)getauxval(AT_PHNUM);
        return true;
    }
    return headers_at(object->map_start, headers, count, object->effort) ||
           headers_at(object->bias, headers, count, object->effort);
}

static void take_segment(const ElfW(Phdr) * header, uintptr_t bias, struct module *module)
{
    uintptr_t start = bias + header->p_vaddr;
    uintptr_t limit = start + header->p_memsz;
    module->start = start & ~(uintptr_t)(PAGE - 1);
    module->limit = (limit + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    module->file_offset = header->p_offset & ~(uint64_t)(PAGE - 1);
}

static bool holds(const ElfW(Phdr) * header, uintptr_t bias, uintptr_t address)
{
    return header->p_type == PT_LOAD && address - bias >= header->p_vaddr &&
           address - bias - header->p_vaddr < header->p_memsz;
}

/* The vDSO is linked at 0 or elsewhere; its bias is told by its first segment. */
static bool find_bias(const struct object *object, uintptr_t headers, unsigned count,
                      uintptr_t *bias)
{
    ElfW(Phdr) header;
    *bias = object->bias;
    if (object->link_map)
        return true;
    for (unsigned i = 0; i < count; i++) {
        if (!module_copy(&header, headers + i * sizeof header, sizeof header, object->effort))
            return false;
        if (header.p_type == PT_LOAD) {
            *bias = object->map_start + header.p_offset - header.p_vaddr;
            return true;
        }
    }
    return false;
}

/* Program headers are copied in pieces: few system calls, little stack (handlers come here). */
#define HEADERS_PIECE 8

struct description {
    const struct object *object;
    uintptr_t bias, pc;
    struct module_entry *entry;
    struct address_range *empty;
};

static uintptr_t page_down(uintptr_t address)
{
    return address & ~(uintptr_t)(PAGE - 1);
}

/* One executable segment: the one that holds pc, or a bound of the empty range. */
static void describe_code(const struct description *what, const ElfW(Phdr) * header)
{
    uintptr_t start = page_down(what->bias + header->p_vaddr);
    uintptr_t limit = page_down(what->bias + header->p_vaddr + header->p_memsz + PAGE - 1);
    if (what->pc >= limit && limit > what->empty->low)
        what->empty->low = limit;
    else if (what->pc < start && start < what->empty->high)
        what->empty->high = start;
    else if (what->pc >= start && what->pc < limit) {
        what->entry->is_code_readable = (header->p_flags & PF_R) != 0;
        take_segment(header, what->bias, &what->entry->module);
    }
}

static void describe_header(const struct description *what, const ElfW(Phdr) * header)
{
    struct module_entry *entry = what->entry;
    struct module *module = &entry->module;
    uintptr_t address = what->bias + header->p_vaddr;
    /* Where the tables lie is told by _dl_find_object, or by a header that may come late:
     * then module_describe looks again. */
    if (header->p_type == PT_LOAD && (header->p_flags & PF_X))
        describe_code(what, header);
    else if (header->p_type == PT_NOTE && module->build_id_size == 0)
        read_build_id(address, address + header->p_memsz, header->p_align == 8 ? 8 : 4, module,
                      what->object->effort);
    else if (header->p_type == PT_GNU_EH_FRAME && !module->eh_frame_hdr)
        module->eh_frame_hdr = (const void *)address;
    uintptr_t tables = (uintptr_t)module->eh_frame_hdr;
    if (tables && holds(header, what->bias, tables) && (header->p_flags & PF_R)) {
        /* Past p_filesz lies .bss, perhaps without pages: no tables there. */
        entry->cfi_low = address;
        entry->cfi_high = address + header->p_filesz;
    }
}

static bool describe_headers(const struct description *what, uintptr_t headers, unsigned count)
{
    ElfW(Phdr) piece[HEADERS_PIECE];
    for (unsigned i = 0; i < count; i += HEADERS_PIECE) {
        unsigned n = count - i < HEADERS_PIECE ? count - i : HEADERS_PIECE;
        if (!module_copy(piece, headers + i * sizeof *piece, n * sizeof *piece,
                         what->object->effort))
            return false;
        for (unsigned j = 0; j < n; j++)
            describe_header(what, &piece[j]);
    }
    return true;
}

bool module_describe(const struct object *object, uintptr_t pc, struct module_entry *entry,
                     struct address_range *empty)
{
    uintptr_t headers;
    unsigned count;
    struct description what = {object, 0, pc, entry, empty};
    *empty = (struct address_range){object->map_start, object->map_limit};
    if (!find_headers(object, &headers, &count) || count > HEADERS_MAX ||
        !find_bias(object, headers, count, &what.bias))
        return false;
    entry->module.bias = what.bias;
    entry->module.eh_frame_hdr = (const void *)object->eh_frame_hdr;
    if (!describe_headers(&what, headers, count))
        return false;
    if (entry->module.limit == 0)
        return false;
    /* The header of the tables came after the segment that holds them. */
    if (entry->module.eh_frame_hdr && entry->cfi_high == 0 &&
        !describe_headers(&what, headers, count))
        return false;
    if (entry->cfi_high == 0)
        entry->module.eh_frame_hdr = NULL;
    return true;
}

/* A string of the loader's into to[0..room), with its NUL; its length, or 0. */
static size_t copy_string(uintptr_t from, char *to, size_t room, struct effort *effort)
{
    size_t length = 0;
    while (from != 0 && length < room) {
        /* Not over the end of a page: the next one need not be there. */
        size_t piece = PAGE - ((from + length) & (PAGE - 1));
        if (piece > room - length)
            piece = room - length;
        if (piece > 256)
            piece = 256;
        if (!module_copy(to + length, from + length, piece, effort))
            return 0;
        const char *end = memchr(to + length, '\0', piece);
        if (end)
            return (size_t)(end - to);
        length += piece;
    }
    return 0;
}

/* A name of the loader's, made absolute by the working directory: what it was
 * when the object was loaded, unless the program has moved since. */
static size_t copy_absolute(uintptr_t name, char path[MODULE_PATH_MAX], struct effort *effort)
{
    char first[2];
    size_t prefix = 0;
    if (name == 0 || !module_copy(first, name, 1, effort) || first[0] == '\0')
        return 0;
    if (first[0] != '/') {
        if (sys_forbidden())
            return 0;
        long size = sys_call2(SYS_getcwd, path, MODULE_PATH_MAX); /* counts the NUL */
        if (size <= 1 || path[0] != '/' || size >= MODULE_PATH_MAX)
            return 0;
        prefix = (size_t)size;
        path[prefix - 1] = '/';
        if (first[0] == '.' && module_copy(first, name, 2, effort) && first[1] == '/')
            name += 2;
    }
    size_t length = copy_string(name, path + prefix, MODULE_PATH_MAX - prefix, effort);
    return length ? prefix + length : 0;
}

size_t module_path(const struct object *object, bool is_main, char path[MODULE_PATH_MAX])
{
    if (!object->link_map) {
        memcpy(path, object->name, strlen(object->name) + 1);
        return strlen(object->name);
    }
    if (is_main && main_path[0]) {
        size_t length = strnlen(main_path, MODULE_PATH_MAX - 1);
        memcpy(path, main_path, length);
        path[length] = '\0';
        return length;
    }
    return copy_absolute((uintptr_t)object->name, path, object->effort);
}

void module_set_main_path(const char *path)
{
    main_path = path;
}
