#include "symbolize/dwarf_package.h"

#include <dwarf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "symbolize/elf_file.h"

/* Columns of the index (DW_SECT_*): the same in both versions but for the lists of ranges, which
 * version 2 has not, for they lie in the main file. */
enum { COLUMN_INFO = 1, COLUMN_ABBREV = 3, COLUMN_STR_OFFSETS = 6, COLUMN_RNGLISTS = 8 };

enum { PART_INFO, PART_ABBREV, PART_STR_OFFSETS, PART_RNGLISTS, PART_STR, PARTS };

static const struct {
    const char *packaged, *whole; /* its name in the package, and in an ordinary file */
    unsigned column;              /* 0: all units share it */
} parts[PARTS] = {
    [PART_INFO] = {".debug_info.dwo", ".debug_info", COLUMN_INFO},
    [PART_ABBREV] = {".debug_abbrev.dwo", ".debug_abbrev", COLUMN_ABBREV},
    [PART_STR_OFFSETS] = {".debug_str_offsets.dwo", ".debug_str_offsets", COLUMN_STR_OFFSETS},
    [PART_RNGLISTS] = {".debug_rnglists.dwo", ".debug_rnglists", COLUMN_RNGLISTS},
    [PART_STR] = {".debug_str.dwo", ".debug_str", 0},
};

struct dwarf_package {
    int fd;
    Elf *elf;
    struct dwarf_bytes index;
    struct dwarf_bytes sections[PARTS];
    uint32_t version, columns, units, slots;
    const unsigned char *hashes, *rows, *ids, *offsets, *sizes; /* the index's tables */
};

/* A section, unpacked. */
static struct dwarf_bytes section_bytes(Elf *elf, const char *name)
{
    GElf_Shdr header;
    Elf_Scn *section = elf_file_section(elf, name, &header);
    if (section && header.sh_flags & SHF_COMPRESSED && elf_compress(section, 0, 0) < 0)
        section = NULL;
    Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
    return data ? (struct dwarf_bytes){data->d_buf, data->d_size} : (struct dwarf_bytes){NULL, 0};
}

static uint32_t word(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* The index's header and where its tables lie; false: it is not whole. */
static bool read_index(struct dwarf_package *package)
{
    const struct dwarf_bytes index = package->index;
    if (!index.data || index.size < 16)
        return false;
    package->version = word(index.data) & 0xffff; /* 5 has two bytes of padding after it */
    package->columns = word(index.data + 4);
    package->units = word(index.data + 8);
    package->slots = word(index.data + 12);
    if ((package->version != 2 && package->version != 5) || package->columns > 16 ||
        !package->slots || package->slots & (package->slots - 1))
        return false;
    uint64_t hashes = 8 * (uint64_t)package->slots, rows = 4 * (uint64_t)package->slots;
    uint64_t line = 4 * (uint64_t)package->columns, table = line * package->units;
    if (16 + hashes + rows + line + 2 * table > index.size)
        return false;
    package->hashes = index.data + 16;
    package->rows = package->hashes + hashes;
    package->ids = package->rows + rows;
    package->offsets = package->ids + line;
    package->sizes = package->offsets + table;
    return true;
}

struct dwarf_package *dwarf_package_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct dwarf_package *package = mem_zero(1, sizeof *package);
    package->fd = fd;
    package->elf = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
    if (package->elf) {
        package->index = section_bytes(package->elf, ".debug_cu_index");
        for (size_t n = 0; n < PARTS; n++)
            package->sections[n] = section_bytes(package->elf, parts[n].packaged);
    }
    if (read_index(package))
        return package;
    dwarf_package_close(package);
    return NULL;
}

void dwarf_package_close(struct dwarf_package *package)
{
    if (!package)
        return;
    elf_end(package->elf);
    close(package->fd);
    free(package);
}

/* The unit's row, from 1; 0: there is none (DWARF 5, 7.3.5.3: open addressing). */
static uint32_t find_row(const struct dwarf_package *package, uint64_t id)
{
    uint64_t mask = package->slots - 1, slot = id & mask, step = (id >> 32 & mask) | 1;
    for (uint32_t tried = 0; tried < package->slots; tried++, slot = (slot + step) & mask) {
        uint64_t found;
        memcpy(&found, package->hashes + 8 * slot, sizeof found);
        uint32_t row = word(package->rows + 4 * slot);
        if (row == 0 || row > package->units)
            return 0;
        if (found == id)
            return row;
    }
    return 0;
}

/* The unit's part of a section, or all of it. */
static struct dwarf_bytes part_bytes(const struct dwarf_package *package, uint32_t row, size_t part)
{
    struct dwarf_bytes all = package->sections[part];
    if (!parts[part].column)
        return all;
    for (uint32_t n = 0; n < package->columns; n++) {
        size_t at = 4 * ((size_t)(row - 1) * package->columns + n);
        uint32_t offset = word(package->offsets + at), size = word(package->sizes + at);
        if (word(package->ids + 4 * (size_t)n) == parts[part].column && offset <= all.size &&
            size <= all.size - offset)
            return (struct dwarf_bytes){all.data + offset, size};
    }
    return (struct dwarf_bytes){NULL, 0};
}

/* A section of the main file from the unit's base on: the skeleton's attribute says where. */
static struct dwarf_bytes from_base(Elf *main, const char *section, Dwarf_Die *skeleton,
                                    unsigned attribute, unsigned older)
{
    struct dwarf_bytes bytes = section_bytes(main, section);
    Dwarf_Attribute found;
    Dwarf_Word base = 0;
    if (dwarf_attr(skeleton, attribute, &found) || dwarf_attr(skeleton, older, &found))
        dwarf_formudata(&found, &base);
    if (!bytes.data || base > bytes.size)
        return (struct dwarf_bytes){NULL, 0};
    return (struct dwarf_bytes){bytes.data + base, bytes.size - base};
}

/* Names of sections, one after the other, as they are added. */
struct names {
    char text[256];
    size_t size;
};

static bool add_section(Elf *elf, struct names *names, const char *name, struct dwarf_bytes bytes)
{
    size_t length = strlen(name) + 1;
    Elf_Scn *section = elf_newscn(elf);
    Elf_Data *data = section ? elf_newdata(section) : NULL;
    GElf_Shdr header;
    if (!data || !gelf_getshdr(section, &header) || names->size + length > sizeof names->text)
        return false;
    data->d_buf = (void *)(uintptr_t)bytes.data;
    data->d_size = bytes.size;
    data->d_type = ELF_T_BYTE;
    data->d_version = EV_CURRENT;
    data->d_align = 1;
    header.sh_name = (uint32_t)names->size;
    header.sh_type = bytes.data == (unsigned char *)names->text ? SHT_STRTAB : SHT_PROGBITS;
    memcpy(names->text + names->size, name, length);
    names->size += length;
    return gelf_update_shdr(section, &header) != 0;
}

/* The strings of one unit: of the package's there may be a gigabyte. */
struct strings {
    unsigned char *offsets; /* the unit's, changed to lead into text */
    char *text;
    size_t size, cap;
};

#define STR_OFFSETS_HEADER 8 /* DWARF 5, 7.26; version 4 has none */

static bool copy_strings(struct strings *strings, struct dwarf_bytes offsets,
                         struct dwarf_bytes all, uint32_t version)
{
    size_t at = version >= 5 ? STR_OFFSETS_HEADER : 0;
    if (offsets.size < at || (at && word(offsets.data) == UINT32_MAX)) /* the 64-bit format */
        return false;
    strings->offsets = mem_alloc(offsets.size + 1);
    memcpy(strings->offsets, offsets.data, offsets.size);
    for (; offsets.size - at >= 4; at += 4) {
        uint32_t from = word(offsets.data + at), to = (uint32_t)strings->size;
        const char *text = (const char *)all.data + from;
        size_t length = from < all.size ? strnlen(text, all.size - from) : 0;
        while (strings->size + length + 1 > strings->cap)
            strings->text = mem_grow(strings->text, strings->cap, &strings->cap, 1);
        if (length)
            memcpy(strings->text + strings->size, text, length);
        strings->text[strings->size + length] = '\0';
        strings->size += length + 1;
        memcpy(strings->offsets + at, &to, sizeof to);
    }
    return true;
}

/* Writes the parts as an ELF file into memory, where libelf can read it. */
static bool write_file(int fd, const struct dwarf_packaged *unit,
                       const struct dwarf_package *package, const struct dwarf_bytes bytes[PARTS])
{
    GElf_Ehdr ehdr, own;
    struct names names = {.size = 1};
    Elf *elf = elf_begin(fd, ELF_C_WRITE, NULL);
    bool good = elf && gelf_getehdr(package->elf, &own) &&
                gelf_newehdr(elf, gelf_getclass(package->elf)) && gelf_getehdr(elf, &ehdr);
    for (size_t n = 0; good && n < PARTS; n++)
        good = !bytes[n].data || add_section(elf, &names, parts[n].whole, bytes[n]);
    if (good && unit->bases.addresses.data)
        good = add_section(elf, &names, ".debug_addr", unit->bases.addresses);
    if (good && package->version < 5 && unit->bases.lists.data)
        good = add_section(elf, &names, ".debug_ranges", unit->bases.lists);
    if (good && add_section(elf, &names, ".shstrtab",
                            (struct dwarf_bytes){(unsigned char *)names.text, sizeof names.text})) {
        size_t sections = 0;
        elf_getshdrnum(elf, &sections);
        memcpy(ehdr.e_ident, own.e_ident, EI_NIDENT);
        ehdr.e_type = ET_REL;
        ehdr.e_machine = own.e_machine;
        ehdr.e_version = EV_CURRENT;
        ehdr.e_shstrndx = (uint16_t)(sections - 1);
        good = gelf_update_ehdr(elf, &ehdr) && elf_update(elf, ELF_C_WRITE) > 0;
    } else {
        good = false;
    }
    elf_end(elf);
    return good;
}

static bool open_parts(struct dwarf_packaged *unit, const struct dwarf_package *package,
                       const struct dwarf_bytes bytes[PARTS])
{
    int fd = memfd_create("split unit", MFD_CLOEXEC);
    bool good = fd >= 0 && write_file(fd, unit, package, bytes);
    off_t size = good ? lseek(fd, 0, SEEK_END) : 0;
    void *image = size > 0 ? mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)
                           : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    if (image == MAP_FAILED)
        return false;
    unit->image = image;
    unit->size = (size_t)size;
    unit->elf = elf_memory(unit->image, unit->size);
    unit->dwarf = unit->elf ? dwarf_begin_elf(unit->elf, DWARF_C_READ, NULL) : NULL;
    return unit->dwarf != NULL;
}

struct dwarf_packaged *dwarf_package_unit(const struct dwarf_package *package, Elf *main,
                                          Dwarf_Die *skeleton)
{
    uint64_t id;
    Dwarf_Addr low_pc;
    struct dwarf_bytes bytes[PARTS];
    if (dwarf_cu_info(skeleton->cu, NULL, NULL, NULL, NULL, &id, NULL, NULL) != 0)
        return NULL;
    uint32_t row = find_row(package, id);
    if (!row)
        return NULL;
    for (size_t n = 0; n < PARTS; n++)
        bytes[n] = part_bytes(package, row, n);
    struct dwarf_packaged *unit = mem_zero(1, sizeof *unit);
    unit->bases.addresses =
        from_base(main, ".debug_addr", skeleton, DW_AT_addr_base, DW_AT_GNU_addr_base);
    if (package->version >= 5)
        unit->bases.lists = bytes[PART_RNGLISTS];
    else
        unit->bases.lists = from_base(main, ".debug_ranges", skeleton, DW_AT_GNU_ranges_base,
                                      DW_AT_GNU_ranges_base);
    unit->bases.low_pc = dwarf_lowpc(skeleton, &low_pc) == 0 ? low_pc : 0;
    struct strings strings = {0};
    bool good = copy_strings(&strings, bytes[PART_STR_OFFSETS], bytes[PART_STR], package->version);
    bytes[PART_STR_OFFSETS].data = strings.offsets;
    bytes[PART_STR] = (struct dwarf_bytes){(unsigned char *)strings.text, strings.size};
    good = good && open_parts(unit, package, bytes);
    free(strings.offsets);
    free(strings.text);
    if (good)
        return unit;
    dwarf_packaged_free(unit);
    return NULL;
}

void dwarf_packaged_free(struct dwarf_packaged *unit)
{
    if (!unit)
        return;
    dwarf_end(unit->dwarf);
    elf_end(unit->elf);
    if (unit->image)
        munmap(unit->image, unit->size);
    free(unit);
}
