#include "symbolize/elf_zstd.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/mem.h"

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2 /* gABI; in <elf.h> since glibc 2.36 */
#endif

/* Unpacked: four times the largest .debug_info known to us (chromium's, 1 GiB). A section
 * header may lie, and a few kilobytes of zstd can stand for terabytes. */
#define SECTION_MAX ((size_t)4 << 30)

/* malloc'ed; NULL: damaged. */
static void *unpack(const void *packed, size_t packed_size, size_t size)
{
    if (!size || size > SECTION_MAX ||
        ZSTD_findFrameCompressedSize(packed, packed_size) > packed_size)
        return NULL;
    void *bytes = malloc(size);
    size_t got = bytes ? ZSTD_decompress(bytes, size, packed, packed_size) : 0;
    if (got == size)
        return bytes;
    free(bytes);
    return NULL;
}

/* The header before a packed section's bytes; gelf_getchdr() of 0.188 refuses what it cannot
 * unpack. */
static bool is_zstd(Elf_Scn *section, const GElf_Shdr *sh, Elf64_Chdr *header)
{
    Elf_Data *data = sh->sh_flags & SHF_COMPRESSED ? elf_rawdata(section, NULL) : NULL;
    if (!data || data->d_size < sizeof *header)
        return false;
    memcpy(header, data->d_buf, sizeof *header);
    return header->ch_type == ELFCOMPRESS_ZSTD;
}

static bool expand_section(struct elf_file *f, Elf_Scn *section, GElf_Shdr *sh, size_t size)
{
    /* libelf keeps two descriptions of a section's bytes; libdw asks for either */
    Elf_Data *data = elf_rawdata(section, NULL), *cooked = elf_getdata(section, NULL);
    size_t header = sizeof(Elf64_Chdr);
    if (!cooked)
        return false;
    void *bytes = unpack((const char *)data->d_buf + header, data->d_size - header, size);
    if (!bytes)
        return false;
    f->expanded = mem_grow(f->expanded, f->n_expanded, &f->cap_expanded, sizeof *f->expanded);
    f->expanded[f->n_expanded++] = bytes;
    sh->sh_flags &= ~(GElf_Xword)SHF_COMPRESSED;
    sh->sh_size = size;
    data->d_buf = cooked->d_buf = bytes;
    data->d_size = cooked->d_size = size;
    cooked->d_type = ELF_T_BYTE;
    return gelf_update_shdr(section, sh);
}

bool elf_zstd_expand(struct elf_file *f)
{
    bool good = true;
    GElf_Shdr sh;
    Elf64_Chdr packed;
    if (gelf_getclass(f->elf) != ELFCLASS64)
        return true;
    for (Elf_Scn *s = elf_nextscn(f->elf, NULL); s; s = elf_nextscn(f->elf, s))
        if (gelf_getshdr(s, &sh) && is_zstd(s, &sh, &packed))
            good = expand_section(f, s, &sh, packed.ch_size) && good;
    return good;
}
