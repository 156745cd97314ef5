#include "symbolize/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* Segments are mapped in whole pages; 4 kB is the smallest page of any machine. */
#define PAGE 4096ULL

/* Mini symbol tables are some 100 kB; this bounds a damaged one. */
#define MINI_MAX ((size_t)256 << 20)

static char *to_hex(const unsigned char *bytes, size_t n)
{
    char *text = mem_alloc(2 * n + 1);
    for (size_t i = 0; i < n; i++)
        sprintf(text + 2 * i, "%02x", bytes[i]);
    text[2 * n] = '\0';
    return text;
}

/* The descriptor of the GNU build id note in one block of notes, or NULL. */
static char *find_note(Elf_Data *data)
{
    GElf_Nhdr note;
    size_t at = 0, name, desc;
    while (data && (at = gelf_getnote(data, at, &note, &name, &desc)) > 0)
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp((const char *)data->d_buf + name, "GNU", 4) == 0)
            return to_hex((const unsigned char *)data->d_buf + desc, note.n_descsz);
    return NULL;
}

/* By section first: debug files keep the section while their segments' offsets lie. */
static char *read_build_id(Elf *elf)
{
    GElf_Shdr sh;
    GElf_Phdr ph;
    size_t n = 0;
    for (Elf_Scn *s = elf_nextscn(elf, NULL); s; s = elf_nextscn(elf, s))
        if (gelf_getshdr(s, &sh) && sh.sh_type == SHT_NOTE) {
            char *id = find_note(elf_getdata(s, NULL));
            if (id)
                return id;
        }
    elf_getphdrnum(elf, &n);
    for (size_t i = 0; i < n; i++)
        if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_NOTE) {
            char *id = find_note(elf_getdata_rawchunk(elf, (int64_t)ph.p_offset, ph.p_filesz,
                                                      ph.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR));
            if (id)
                return id;
        }
    return mem_strdup("");
}

static struct elf_file *open_elf(const char *path, int fd, Elf *elf)
{
    struct elf_file *f = mem_zero(1, sizeof(*f));
    f->path = mem_strdup(path);
    f->fd = fd;
    f->elf = elf;
    f->build_id = read_build_id(elf);
    return f;
}

struct elf_file *elf_file_open(const char *path, const char **why)
{
    elf_version(EV_CURRENT);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        *why = strerror(errno);
        return NULL;
    }
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (!elf || elf_kind(elf) != ELF_K_ELF) {
        *why = "not an ELF file";
        elf_end(elf);
        close(fd);
        return NULL;
    }
    return open_elf(path, fd, elf);
}

struct elf_file *elf_file_open_memory(const char *name, void *image, size_t size)
{
    elf_version(EV_CURRENT);
    Elf *elf = elf_memory(image, size);
    if (!elf || elf_kind(elf) != ELF_K_ELF) {
        elf_end(elf);
        return NULL;
    }
    return open_elf(name, -1, elf);
}

void elf_file_close(struct elf_file *f)
{
    if (!f)
        return;
    elf_end(f->mini);
    free(f->mini_data);
    elf_end(f->elf);
    if (f->fd >= 0)
        close(f->fd);
    free(f->symbols);
    free(f->build_id);
    free(f->path);
    free(f);
}

static GElf_Shdr *section_by_name(Elf *elf, const char *name, GElf_Shdr *sh, Elf_Scn **scn)
{
    size_t names;
    if (elf_getshdrstrndx(elf, &names) < 0)
        return NULL;
    for (Elf_Scn *s = elf_nextscn(elf, NULL); s; s = elf_nextscn(elf, s)) {
        if (!gelf_getshdr(s, sh))
            continue;
        const char *this = elf_strptr(elf, names, sh->sh_name);
        if (this && strcmp(this, name) == 0) {
            *scn = s;
            return sh;
        }
    }
    return NULL;
}

bool elf_file_has_dwarf(const struct elf_file *f)
{
    GElf_Shdr sh;
    Elf_Scn *scn;
    return (section_by_name(f->elf, ".debug_info", &sh, &scn) ||
            section_by_name(f->elf, ".zdebug_info", &sh, &scn)) &&
           sh.sh_type != SHT_NOBITS;
}

/*
 * The segment a mapping shows is the one that covers its file offset, an executable
 * one first: neighbours share their border page in the file. In a debug file the
 * offsets mean nothing; there the only executable segment has to be the one.
 */
bool elf_file_find_bias(const struct elf_file *f, uint64_t start, uint64_t limit, uint64_t offset,
                        uint64_t *bias)
{
    size_t n = 0, n_exec = 0;
    GElf_Phdr ph, exec = {0}, any = {0}, only = {0};
    bool has_exec = false, has_any = false;
    elf_getphdrnum(f->elf, &n);
    for (size_t i = 0; i < n; i++) {
        if (!gelf_getphdr(f->elf, (int)i, &ph) || ph.p_type != PT_LOAD)
            continue;
        uint64_t from = ph.p_offset & ~(PAGE - 1);
        uint64_t to = (ph.p_offset + ph.p_filesz + PAGE - 1) & ~(PAGE - 1);
        bool covers = ph.p_filesz && offset >= from && offset < to;
        if (ph.p_flags & PF_X) {
            n_exec++;
            only = ph;
        }
        if (covers && (ph.p_flags & PF_X) && !has_exec) {
            exec = ph;
            has_exec = true;
        } else if (covers && !has_any) {
            any = ph;
            has_any = true;
        }
    }
    if (has_exec || has_any) {
        ph = has_exec ? exec : any;
        *bias = ph.p_vaddr - ph.p_offset + offset - start;
        return true;
    }
    if (n_exec == 1 && limit > start) {
        *bias = (only.p_vaddr & ~(PAGE - 1)) - start;
        return true;
    }
    return false;
}

/* ---- Symbols ---- */

static unsigned char rank_symbol(const GElf_Sym *sym, const char *name)
{
    unsigned char rank = 0;
    if (GELF_ST_TYPE(sym->st_info) != STT_NOTYPE)
        rank += 8;
    if (sym->st_size)
        rank += 4;
    if (GELF_ST_BIND(sym->st_info) == STB_GLOBAL)
        rank += 2;
    return rank + (*name != '_');
}

static bool is_code_symbol(Elf *elf, const GElf_Sym *sym)
{
    GElf_Shdr sh;
    unsigned type = GELF_ST_TYPE(sym->st_info);
    if (!sym->st_value || sym->st_shndx == SHN_UNDEF || sym->st_shndx >= SHN_LORESERVE)
        return false;
    if (type == STT_FUNC || type == STT_GNU_IFUNC)
        return true;
    /* Assembler labels: only in code, not in data. */
    return type == STT_NOTYPE && gelf_getshdr(elf_getscn(elf, sym->st_shndx), &sh) &&
           (sh.sh_flags & SHF_EXECINSTR);
}

static void add_table(struct elf_file *f, Elf *elf, unsigned wanted)
{
    GElf_Shdr sh;
    GElf_Sym sym;
    for (Elf_Scn *s = elf_nextscn(elf, NULL); s; s = elf_nextscn(elf, s)) {
        if (!gelf_getshdr(s, &sh) || sh.sh_type != wanted || !sh.sh_entsize)
            continue;
        Elf_Data *data = elf_getdata(s, NULL);
        size_t n = data ? data->d_size / sh.sh_entsize : 0;
        for (size_t i = 1; i < n; i++) {
            if (!gelf_getsym(data, (int)i, &sym) || !is_code_symbol(elf, &sym))
                continue;
            const char *name = elf_strptr(elf, sh.sh_link, sym.st_name);
            /* $x, $d (ARM, RISC-V) and .L labels mark places, not functions. */
            if (!name || !*name || *name == '$' || strncmp(name, ".L", 2) == 0)
                continue;
            f->symbols = mem_grow(f->symbols, f->n_symbols, &f->cap_symbols, sizeof(*f->symbols));
            f->symbols[f->n_symbols++] = (struct elf_symbol){
                .start = sym.st_value,
                .size = sym.st_size,
                .name = name,
                .rank = rank_symbol(&sym, name),
            };
        }
    }
}

/* .gnu_debugdata: an xz-packed ELF file with the symbols .dynsym does not have. */
static void open_mini(struct elf_file *f)
{
    GElf_Shdr sh;
    Elf_Scn *scn;
    if (f->mini_data || !section_by_name(f->elf, ".gnu_debugdata", &sh, &scn))
        return;
    Elf_Data *data = elf_rawdata(scn, NULL);
    lzma_stream z = LZMA_STREAM_INIT;
    if (!data || lzma_stream_decoder(&z, MINI_MAX, 0) != LZMA_OK)
        return;
    size_t cap = data->d_size * 4 + 65536, size = 0;
    unsigned char *out = mem_alloc(cap);
    lzma_ret rc = LZMA_OK;
    z.next_in = data->d_buf;
    z.avail_in = data->d_size;
    while (rc == LZMA_OK && size < MINI_MAX) {
        if (size == cap)
            out = mem_resize(out, cap *= 2, 1);
        z.next_out = out + size;
        z.avail_out = cap - size;
        rc = lzma_code(&z, LZMA_FINISH);
        size = cap - z.avail_out;
    }
    lzma_end(&z);
    f->mini_data = out;
    if (rc == LZMA_STREAM_END)
        f->mini = elf_memory((char *)out, size);
}

void elf_file_add_symbols(struct elf_file *f, struct elf_file *from)
{
    add_table(f, from->elf, SHT_SYMTAB);
    open_mini(from);
    if (from->mini)
        add_table(f, from->mini, SHT_SYMTAB);
    add_table(f, from->elf, SHT_DYNSYM);
}

static int compare_symbols(const void *a, const void *b)
{
    const struct elf_symbol *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return strcmp(x->name, y->name);
}

void elf_file_sort_symbols(struct elf_file *f)
{
    size_t n = 0;
    if (!f->n_symbols)
        return;
    qsort(f->symbols, f->n_symbols, sizeof(*f->symbols), compare_symbols);
    for (size_t i = 1; i < f->n_symbols; i++)
        if (f->symbols[i].start != f->symbols[n].start)
            f->symbols[++n] = f->symbols[i];
    f->n_symbols = n + 1;
}

const struct elf_symbol *elf_file_find_symbol(const struct elf_file *f, uint64_t address)
{
    size_t low = 0, high = f->n_symbols;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->symbols[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    /* Labels inside a sized function hide it: look a little further back. */
    for (size_t back = 0; low > 0 && back < 16; back++) {
        const struct elf_symbol *s = &f->symbols[--low];
        if (s->size ? address < s->start + s->size : back == 0)
            return s;
    }
    return NULL;
}
