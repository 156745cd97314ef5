/* Code symbols of an ELF file: .symtab, .gnu_debugdata, .dynsym or PT_DYNAMIC. */
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "symbolize/elf_file.h"

/* Mini symbol tables are some 100 kB; this bounds a damaged one. */
#define MINI_MAX ((size_t)256 << 20)

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

static void add_symbol(struct elf_file *f, const GElf_Sym *sym, const char *name)
{
    /* $x, $d (ARM, RISC-V) and .L labels mark places, not functions. */
    if (!name || !*name || *name == '$' || strncmp(name, ".L", 2) == 0)
        return;
    f->symbols = mem_grow(f->symbols, f->n_symbols, &f->cap_symbols, sizeof *f->symbols);
    f->symbols[f->n_symbols++] = (struct elf_symbol){
        .start = sym->st_value,
        .size = sym->st_size,
        .name = name,
        .rank = rank_symbol(sym, name),
    };
}

/* Returns whether there is such a table. */
static bool add_table(struct elf_file *f, Elf *elf, unsigned wanted)
{
    GElf_Shdr sh;
    GElf_Sym sym;
    bool found = false;
    for (Elf_Scn *s = elf_nextscn(elf, NULL); s; s = elf_nextscn(elf, s)) {
        if (!gelf_getshdr(s, &sh) || sh.sh_type != wanted || !sh.sh_entsize)
            continue;
        Elf_Data *data = elf_getdata(s, NULL);
        size_t n = data ? data->d_size / sh.sh_entsize : 0;
        for (size_t i = 1; i < n; i++)
            if (gelf_getsym(data, (int)i, &sym) && is_code_symbol(elf, &sym))
                add_symbol(f, &sym, elf_strptr(elf, sh.sh_link, sym.st_name));
        found = found || n > 1;
    }
    return found;
}

/* .gnu_debugdata: an xz-packed ELF file with the symbols .dynsym does not have. */
static void open_mini(struct elf_file *f)
{
    GElf_Shdr sh;
    Elf_Scn *scn = f->mini_data ? NULL : elf_file_section(f->elf, ".gnu_debugdata", &sh);
    Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;
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

/* ---- The loader's view: a file that has lost its section headers still runs ---- */

/* Where PT_DYNAMIC says the symbols are (gABI, "Dynamic Section"). Addresses. */
struct dynamic {
    uint64_t symbols, names, names_size, hash, gnu_hash;
};

static bool read_dynamic(const struct elf_file *from, struct dynamic *d)
{
    GElf_Phdr ph;
    size_t n = 0, size;
    const char *file = elf_rawfile(from->elf, &size);
    *d = (struct dynamic){0};
    elf_getphdrnum(from->elf, &n);
    for (size_t i = 0; file && i < n; i++) {
        if (!gelf_getphdr(from->elf, (int)i, &ph) || ph.p_type != PT_DYNAMIC ||
            ph.p_offset > size || ph.p_filesz > size - ph.p_offset)
            continue;
        for (size_t at = 0; at + sizeof(Elf64_Dyn) <= ph.p_filesz; at += sizeof(Elf64_Dyn)) {
            Elf64_Dyn entry;
            memcpy(&entry, file + ph.p_offset + at, sizeof entry);
            switch (entry.d_tag) {
            case DT_NULL:
                at = ph.p_filesz - sizeof entry;
                break;
            case DT_SYMTAB:
                d->symbols = entry.d_un.d_ptr;
                break;
            case DT_STRTAB:
                d->names = entry.d_un.d_ptr;
                break;
            case DT_STRSZ:
                d->names_size = entry.d_un.d_val;
                break;
            case DT_HASH:
                d->hash = entry.d_un.d_ptr;
                break;
            case DT_GNU_HASH:
                d->gnu_hash = entry.d_un.d_ptr;
                break;
            default:
                break;
            }
        }
    }
    return d->symbols && d->names;
}

/* A word of the file; a damaged address need not be aligned. */
static uint32_t word(const char *words, uint64_t n)
{
    uint32_t value;
    memcpy(&value, words + 4 * n, sizeof value);
    return value;
}

/* The number of symbols stands nowhere: it is one more than the last that GNU's hash table
 * reaches, whose chain ends with a value with bit 0 set. 0: the table is damaged. */
static uint64_t count_by_gnu_hash(const struct elf_file *from, uint64_t address)
{
    uint64_t room;
    const char *header = elf_file_bytes(from, address, 16, &room);
    if (!header)
        return 0;
    /* header: buckets, first symbol with a chain, 64-bit words of the filter, shift */
    uint64_t buckets = word(header, 0), first = word(header, 1), filter = word(header, 2);
    uint64_t chains = 16 + filter * 8 + buckets * 4, last = 0;
    if (chains > room)
        return 0;
    const char *bucket = header + 16 + filter * 8, *chain = bucket + buckets * 4;
    for (uint64_t i = 0; i < buckets; i++)
        if (word(bucket, i) > last)
            last = word(bucket, i);
    if (last < first)
        return first;
    uint64_t n_chains = (room - chains) / 4;
    while (last - first < n_chains && !(word(chain, last - first) & 1))
        last++;
    return last - first < n_chains ? last + 1 : 0;
}

static uint64_t count_dynamic(const struct elf_file *from, const struct dynamic *d)
{
    const char *hash = d->hash ? elf_file_bytes(from, d->hash, 8, NULL) : NULL;
    if (hash)
        return word(hash, 1); /* DT_HASH: as many chain entries as symbols */
    return d->gnu_hash ? count_by_gnu_hash(from, d->gnu_hash) : 0;
}

static void add_dynamic(struct elf_file *f, const struct elf_file *from)
{
    struct dynamic d;
    uint64_t room;
    if (gelf_getclass(from->elf) != ELFCLASS64 || !read_dynamic(from, &d))
        return;
    uint64_t n = count_dynamic(from, &d);
    const char *symbols = elf_file_bytes(from, d.symbols, 0, &room);
    if (symbols && n > room / sizeof(Elf64_Sym))
        n = room / sizeof(Elf64_Sym);
    const char *names = symbols ? elf_file_bytes(from, d.names, 0, &room) : NULL;
    uint64_t size = d.names_size < room ? d.names_size : room;
    for (uint64_t i = 1; names && i < n; i++) {
        Elf64_Sym sym;
        memcpy(&sym, symbols + i * sizeof sym, sizeof sym);
        unsigned type = GELF_ST_TYPE(sym.st_info);
        bool is_code = type == STT_FUNC || type == STT_GNU_IFUNC;
        if (is_code && sym.st_value && sym.st_shndx != SHN_UNDEF && sym.st_name < size &&
            memchr(names + sym.st_name, '\0', size - sym.st_name))
            add_symbol(f, &sym, names + sym.st_name);
    }
}

void elf_file_add_symbols(struct elf_file *f, struct elf_file *from)
{
    add_table(f, from->elf, SHT_SYMTAB);
    open_mini(from);
    if (from->mini)
        add_table(f, from->mini, SHT_SYMTAB);
    if (!add_table(f, from->elf, SHT_DYNSYM))
        add_dynamic(f, from);
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
