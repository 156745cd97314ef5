#include "symbolize/allocator.h"

#include <string.h>

#include "symbolize/elf_file.h"

enum {
    JEMALLOC,
    MIMALLOC,
    TCMALLOC,
    PARTITION,
    MOZJEMALLOC,
    SNMALLOC,
    RPMALLOC,
    SCUDO,
    GO,
    JVM,
    V8,
    MONO,
    ERLANG,
    GHC,
    PHP,
    RUBY,
    LUAJIT,
    PYTHON,
    BOEHM,
    OWN
};

static const struct allocator allocators[] = {
    [JEMALLOC] = {"jemalloc", false},
    [MIMALLOC] = {"mimalloc", false},
    [TCMALLOC] = {"tcmalloc", false},
    [PARTITION] = {"PartitionAlloc", false},
    [MOZJEMALLOC] = {"mozjemalloc", false},
    [SNMALLOC] = {"snmalloc", false},
    [RPMALLOC] = {"rpmalloc", false},
    [SCUDO] = {"Scudo", false},
    [GO] = {"Go's heap", true},
    [JVM] = {"Java's heap", true},
    [V8] = {"V8's heap", true},
    [MONO] = {"Mono's heap", true},
    [ERLANG] = {"Erlang's heap", true},
    [GHC] = {"GHC's heap", true},
    [PHP] = {"PHP's heap (USE_ZEND_ALLOC=0 shows it)", true},
    [RUBY] = {"Ruby's heap", true},
    [LUAJIT] = {"LuaJIT's heap", true},
    [PYTHON] = {"Python's heap (PYTHONMALLOC=malloc shows it)", true},
    [BOEHM] = {"the Boehm collector's heap", true},
    [OWN] = {"its own malloc", false},
};

/* Functions that are defined where the allocator is. A name that ends in * is a prefix. */
static const struct {
    int allocator;
    const char *symbol;
} symbol_marks[] = {
    {JEMALLOC, "je_malloc*"},
    {JEMALLOC, "je_arena_*"},
    {JEMALLOC, "_rjem_*"}, /* Rust's tikv-jemallocator */
    {MIMALLOC, "mi_malloc"},
    {MIMALLOC, "_mi_page_*"},
    {TCMALLOC, "tc_malloc"},
    {TCMALLOC, "_ZN8tcmalloc8PageHeap*"},
    {TCMALLOC, "_ZN8tcmalloc17tcmalloc_internal*"},
    {PARTITION, "_ZN15partition_alloc*"},
    {MOZJEMALLOC, "moz_arena_malloc"},
    {SNMALLOC, "_ZN8snmalloc*"},
    {RPMALLOC, "rpmalloc"},
    {SCUDO, "_ZN5scudo*"},
    {GO, "runtime.mallocgc"},
    {JVM, "JNI_CreateJavaVM"},
    {V8, "_ZN2v87Isolate3NewE*"},
    {MONO, "mono_gc_collect"},
    {ERLANG, "erts_sys_aligned_alloc"},
    {GHC, "hs_init_ghc"},
    {PHP, "_zend_mm_alloc"},
    {RUBY, "rb_gc_start"},
    {LUAJIT, "luaJIT_setmode"},
    {PYTHON, "PyObject_Malloc"},
    {BOEHM, "GC_malloc"},
};

/* What they would print, in programs without symbols. needs_malloc: others know the word
 * too, so that the program must export a malloc besides. */
static const struct {
    int allocator;
    const char *text;
    bool needs_malloc;
} text_marks[] = {
    {JEMALLOC, "<jemalloc>: ", false},
    {MIMALLOC, "mimalloc: error: ", false},
    {TCMALLOC, "TCMALLOC_SAMPLE_PARAMETER", false},
    {PARTITION, "PartitionAlloc", true},
    {GHC, "(GHC version %s for %s)", false},
};

/* What has been seen of a file: of several allocators the first of the list is told, so
 * that one which replaces malloc comes before a language's heap. */
struct search {
    bool seen[OWN + 1];
    bool exports_malloc, has_symtab;
};

static bool matches(const char *name, const char *mark)
{
    size_t length = strlen(mark) - 1;
    return mark[length] == '*' ? strncmp(name, mark, length) == 0 : strcmp(name, mark) == 0;
}

static void look_at_symbol(struct search *search, const char *name, bool is_dynamic)
{
    if (strcmp(name, "malloc") == 0) {
        search->seen[OWN] = true;
        search->exports_malloc |= is_dynamic;
    }
    for (size_t i = 0; i < sizeof symbol_marks / sizeof *symbol_marks; i++)
        if (matches(name, symbol_marks[i].symbol))
            search->seen[symbol_marks[i].allocator] = true;
}

static void look_at_symbols(struct search *search, Elf *elf, Elf_Scn *section,
                            const GElf_Shdr *header)
{
    Elf_Data *data = elf_getdata(section, NULL);
    size_t n = data && header->sh_entsize ? data->d_size / header->sh_entsize : 0;
    for (size_t i = 1; i < n; i++) {
        GElf_Sym symbol;
        if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF ||
            (GELF_ST_TYPE(symbol.st_info) != STT_FUNC &&
             GELF_ST_TYPE(symbol.st_info) != STT_GNU_IFUNC))
            continue;
        const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);
        if (name)
            look_at_symbol(search, name, header->sh_type == SHT_DYNSYM);
    }
}

/* Go's tables of functions: there in stripped programs too. */
static void look_at_sections(struct search *search, Elf *elf)
{
    size_t names;
    GElf_Shdr header;
    if (elf_getshdrstrndx(elf, &names) < 0)
        return;
    for (Elf_Scn *s = elf_nextscn(elf, NULL); s; s = elf_nextscn(elf, s)) {
        if (!gelf_getshdr(s, &header))
            continue;
        const char *name = elf_strptr(elf, names, header.sh_name);
        if (name && strcmp(name, ".gopclntab") == 0)
            search->seen[GO] = true;
        if (header.sh_type == SHT_SYMTAB)
            search->has_symtab = true;
        if (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM)
            look_at_symbols(search, elf, s, &header);
    }
}

static void look_at_texts(struct search *search, Elf *elf)
{
    GElf_Shdr header;
    for (Elf_Scn *s = elf_nextscn(elf, NULL); s; s = elf_nextscn(elf, s)) {
        if (!gelf_getshdr(s, &header) || header.sh_type != SHT_PROGBITS ||
            !(header.sh_flags & SHF_ALLOC) || header.sh_flags & (SHF_WRITE | SHF_EXECINSTR))
            continue;
        Elf_Data *data = elf_rawdata(s, NULL);
        for (size_t i = 0; data && i < sizeof text_marks / sizeof *text_marks; i++)
            if ((!text_marks[i].needs_malloc || search->exports_malloc) &&
                memmem(data->d_buf, data->d_size, text_marks[i].text, strlen(text_marks[i].text)))
                search->seen[text_marks[i].allocator] = true;
    }
}

const struct allocator *allocator_inside(const char *path, bool is_program)
{
    struct search search = {.has_symtab = false};
    const char *why;
    struct elf_file *file = elf_file_open(path, &why);
    if (!file)
        return NULL;
    look_at_sections(&search, file->elf);
    if (is_program && !search.has_symtab)
        look_at_texts(&search, file->elf);
    elf_file_close(file);
    if (!is_program && search.exports_malloc)
        return NULL;
    for (int i = 0; i < OWN; i++)
        if (search.seen[i])
            return &allocators[i];
    return is_program && search.seen[OWN] ? &allocators[OWN] : NULL;
}
