#include "patch/symbols.h"
#include "kit/sys.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* The program's file, mapped. What is in it is checked before it is used: it may have been
 * replaced. */
struct file {
    const uint8_t *bytes;
    uint64_t size;
};

static const void *at(const struct file *file, uint64_t offset, uint64_t size)
{
    return offset <= file->size && size <= file->size - offset ? file->bytes + offset : NULL;
}

static bool map_file(struct file *file)
{
    struct stat info;
    long fd = sys_call4(SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    void *bytes = NULL;
    if (sys_call2(SYS_fstat, fd, &info) == 0 && info.st_size > (off_t)sizeof(ElfW(Ehdr)))
        bytes = (void *)sys_call6(SYS_mmap, 0, info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    sys_call1(SYS_close, fd);
    if (!bytes || sys_is_error(bytes))
        return false;
    *file = (struct file){bytes, (uint64_t)info.st_size};
    return memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

/* Run-time minus link-time address of the program: its program headers say where they lie. */
static uintptr_t find_bias(void)
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    for (unsigned long n = 0; headers && n < getauxval(AT_PHNUM); n++)
        if (headers[n].p_type == PT_PHDR)
            return (uintptr_t)headers - headers[n].p_vaddr;
    return 0;
}

static void look_up(const struct file *file, const ElfW(Shdr) * table, const ElfW(Shdr) * strings,
                    const char *names, struct symbol_place *places, uintptr_t bias)
{
    uint64_t count = table->sh_size / sizeof(ElfW(Sym));
    const ElfW(Sym) *symbols = at(file, table->sh_offset, count * sizeof *symbols);
    const char *text = at(file, strings->sh_offset, strings->sh_size);
    if (!symbols || !text || !strings->sh_size || text[strings->sh_size - 1] != '\0')
        return;
    for (uint64_t n = 1; n < count; n++) {
        if (ELF64_ST_TYPE(symbols[n].st_info) != STT_FUNC || symbols[n].st_shndx == SHN_UNDEF ||
            symbols[n].st_name >= strings->sh_size)
            continue;
        struct symbol_place *place = places;
        for (const char *name = names; *name; name += strlen(name) + 1, place++)
            if (!place->address && strcmp(text + symbols[n].st_name, name) == 0)
                *place = (struct symbol_place){(uint8_t *)(symbols[n].st_value + bias),
                                               symbols[n].st_size};
    }
}

void symbols_find(const char *names, struct symbol_place *places)
{
    struct file file;
    struct symbol_place *place = places;
    for (const char *name = names; *name; name += strlen(name) + 1)
        *place++ = (struct symbol_place){NULL, 0};
    if (!map_file(&file))
        return;
    const ElfW(Ehdr) *header = (const void *)file.bytes;
    const ElfW(Shdr) *sections = at(&file, header->e_shoff, header->e_shnum * sizeof(ElfW(Shdr)));
    for (unsigned n = 0; sections && n < header->e_shnum; n++) {
        bool is_table = sections[n].sh_type == SHT_SYMTAB || sections[n].sh_type == SHT_DYNSYM;
        if (is_table && sections[n].sh_link < header->e_shnum)
            look_up(&file, &sections[n], &sections[sections[n].sh_link], names, places,
                    find_bias());
    }
    sys_call2(SYS_munmap, file.bytes, file.size);
}
