#include "symbolize/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "symbolize/dwarf_file.h"
#include "symbolize/dwarf_name.h"
#include "symbolize/elf_file.h"
#include "symbolize/elf_zstd.h"
#include "symbolize/unwind_index.h"
#include <elfutils/libdw.h>

struct module {
    const struct profile_mapping *mapping;
    struct elf_file *file;  /* what the mapping names, or found by build id */
    struct elf_file *debug; /* with the DWARF, if that is not `file` */
    struct dwarf_file *dwarf;
    bool symbols_ready, has_dwarf;
    uint64_t bias; /* link-time minus run-time */
    bool has_bias;
    struct symbol_table *table;
    bool use_cache;
    char *signature; /* of the files the table is made from */
    char *reason;
    char *note; /* on debug information that can't be read */
};

/* Our own vDSO is the target's if the build id says so: one kernel, one vDSO. */
static struct elf_file *open_vdso(void)
{
    void *image = (void *)getauxval(AT_SYSINFO_EHDR);
    /* Its size stands nowhere; it has been two pages or less of ELF for 15 years, and
     * section headers lie behind: take what the file says. */
    if (!image)
        return NULL;
    const Elf64_Ehdr *header = image;
    size_t size = header->e_shoff + (size_t)header->e_shentsize * header->e_shnum;
    return size < (1 << 20) ? elf_file_open_memory("[vdso]", image, size) : NULL;
}

static void set_reason(struct module *m, char *reason)
{
    free(m->reason);
    m->reason = reason;
}

/* The file that our own file system has at the mapping's path; a build id tells whether it
 * is the one that ran. */
static void open_at_path(struct module *m)
{
    const struct profile_mapping *mapping = m->mapping;
    const char *why = "";
    m->file = elf_file_open(mapping->file, &why);
    if (m->file && *mapping->build_id && strcmp(m->file->build_id, mapping->build_id) != 0) {
        set_reason(m, mem_printf("the file there now is another build (%s): reinstall the one that "
                                 "ran, or put its debug file at "
                                 "/usr/lib/debug/.build-id/%.2s/%s.debug",
                                 *m->file->build_id ? m->file->build_id : "no build id",
                                 mapping->build_id,
                                 strlen(mapping->build_id) > 2 ? mapping->build_id + 2 : ""));
        elf_file_close(m->file);
        m->file = NULL;
    } else if (!m->file) {
        set_reason(m, mem_printf("%s: copy it here, or put its debug file at "
                                 "/usr/lib/debug/.build-id/",
                                 why));
    }
}

/* The file the mapping names, if it is the one that ran. */
static void open_named(struct module *m, const struct process_files *files)
{
    const struct profile_mapping *mapping = m->mapping;
    if (strcmp(mapping->file, "[vdso]") == 0) {
        m->file = open_vdso();
        if (m->file && *mapping->build_id && strcmp(m->file->build_id, mapping->build_id) != 0) {
            elf_file_close(m->file);
            m->file = NULL;
        }
        if (!m->file)
            set_reason(m, mem_strdup("another kernel's vDSO"));
        return;
    }
    if (*mapping->file != '/')
        return;
    /* Without a build id nothing shows that the file at the path is another one. */
    if (!*mapping->build_id && process_files_differ(files, mapping))
        m->file = process_files_find(files, mapping);
    if (!m->file)
        open_at_path(m);
    if (!m->file)
        m->file = process_files_find(files, mapping);
}

static void add_signature(char **signature, const struct elf_file *f)
{
    struct stat st;
    if (!f || fstat(f->fd, &st) < 0)
        return;
    /* Another process sees the same file below another root. */
    size_t root = f->root && strncmp(f->path, f->root, strlen(f->root)) == 0 ? strlen(f->root) : 0;
    char *longer =
        mem_printf("%s %s %lld %lld.%09ld", *signature ? *signature : "", f->path + root,
                   (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    free(*signature);
    *signature = longer;
}

struct module *module_open(const struct profile_mapping *mapping, const struct process_files *files,
                           bool use_cache)
{
    struct module *m = mem_zero(1, sizeof(*m));
    m->mapping = mapping;
    m->table = symbol_table_new();
    open_named(m, files);
    if (!m->file && *mapping->build_id)
        m->file = elf_file_open_build_id(mapping->build_id);
    if (!m->file)
        return m;
    set_reason(m, NULL);
    m->has_bias =
        elf_file_find_bias(m->file, mapping->start, mapping->limit, mapping->offset, &m->bias);
    if (!m->has_bias) {
        set_reason(m, mem_printf("no segment of %s fits file offset 0x%llx", m->file->path,
                                 (unsigned long long)mapping->offset));
        return m;
    }
    m->has_dwarf = elf_file_has_dwarf(m->file);
    if (!m->has_dwarf) {
        m->debug = elf_file_open_debug(m->file);
        m->has_dwarf = m->debug && elf_file_has_dwarf(m->debug);
    }
    add_signature(&m->signature, m->file);
    add_signature(&m->signature, m->debug);
    m->use_cache = use_cache && m->signature && !strchr(m->signature, '\n');
    if (m->use_cache)
        symbol_table_load(m->table, m->file->build_id, m->signature);
    return m;
}

/* ELF symbols and the index of compilation units are read at the first address that
 * is not in the cache. */
static void read_symbols(struct module *m)
{
    if (m->symbols_ready)
        return;
    m->symbols_ready = true;
    elf_file_add_symbols(m->file, m->file);
    if (m->debug)
        elf_file_add_symbols(m->file, m->debug);
    elf_file_sort_symbols(m->file);
    struct elf_file *debug = m->debug ? m->debug : m->file;
    if (!m->has_dwarf)
        return;
    if (!elf_zstd_expand(debug))
        m->note = mem_strdup("a zstd-packed debug section is damaged or too large");
    m->dwarf = dwarf_file_open(debug, m->file->path);
    if (!m->dwarf && !m->note)
        m->note = mem_printf("libdw: %s", dwarf_errmsg(-1));
}

/* malloc'ed absolute path of a frame's file, "" if unknown. */
static char *full_path(const struct dwarf_frame *f)
{
    if (!f->file)
        return mem_strdup("");
    if (*f->file == '/' || !f->dir)
        return mem_strdup(f->file);
    const char *file = f->file;
    while (strncmp(file, "./", 2) == 0)
        file += 2;
    return mem_printf("%s/%s", f->dir, file);
}

/* Is the symbol a better name for the function itself than what its DWARF says? A mangled
 * symbol is: one function has one, whatever the compiler left out of the DWARF. */
static bool names_function(const char *symbol, const char *dwarf)
{
    return !*dwarf || (dwarf_name_is_mangled(symbol) && !dwarf_name_is_mangled(dwarf));
}

static void resolve_one(struct module *m, uint64_t address)
{
    struct dwarf_frame dwarf[DWARF_MAX_FRAMES];
    struct symbol_frame frames[DWARF_MAX_FRAMES];
    char *paths[DWARF_MAX_FRAMES];
    uint64_t entry = 0;
    size_t n = m->dwarf ? dwarf_file_lookup(m->dwarf, address, dwarf, &entry) : 0;
    const struct elf_symbol *symbol = elf_file_find_symbol(m->file, address);
    /* A label without a size may lie in the midst of a function. */
    if (symbol && !symbol->size) {
        uint64_t start = unwind_index_find_entry(m->file, address, NULL);
        if (start && start != symbol->start) {
            symbol = elf_file_find_symbol(m->file, start);
            if (symbol && symbol->start != start)
                symbol = NULL;
        }
    }
    for (size_t i = 0; i < n; i++) {
        paths[i] = full_path(&dwarf[i]);
        frames[i] = (struct symbol_frame){
            .name = dwarf[i].name ? dwarf[i].name : "",
            .file = paths[i],
            .line = dwarf[i].line,
            .column = dwarf[i].column,
            .start_line = dwarf[i].start_line,
        };
    }
    /* The symbol knows the entry best: a function may be in several parts. */
    if (symbol)
        entry = symbol->start;
    if (!n && symbol) {
        frames[n++] = (struct symbol_frame){.name = symbol->name, .file = ""};
        paths[0] = NULL;
    } else if (n && symbol && names_function(symbol->name, frames[n - 1].name)) {
        frames[n - 1].name = symbol->name;
    }
    if (!entry)
        entry = unwind_index_find_entry(m->file, address, NULL);
    if (n && !*frames[n - 1].name)
        symbol_table_add(m->table, address, entry, NULL, 0);
    else
        symbol_table_add(m->table, address, entry, frames, n);
    for (size_t i = 0; i < n; i++)
        free(paths[i]);
}

void module_resolve(struct module *m, const uint64_t *addresses, size_t n,
                    module_progress_fn *progress, void *arg)
{
    if (!m->has_bias)
        return;
    for (size_t i = 0; i < n; i++) {
        uint64_t address = addresses[i] + m->bias;
        if (!symbol_table_find(m->table, address)) {
            read_symbols(m);
            resolve_one(m, address);
        }
        progress(arg, i + 1, n);
    }
}

const struct symbol *module_find(const struct module *m, uint64_t address)
{
    const struct symbol *s = symbol_table_find(m->table, address + m->bias);
    return s && (s->n_frames || s->entry) ? s : NULL;
}

uint64_t module_bias(const struct module *m)
{
    return -m->bias;
}

const char *module_reason(const struct module *m)
{
    return m->reason;
}

const char *module_note(const struct module *m)
{
    if (!m->note && m->dwarf)
        return dwarf_file_missing(m->dwarf);
    return m->note;
}

const char *module_stripped(const struct module *m)
{
    return !m->reason && m->file && !m->has_dwarf ? m->file->path : NULL;
}

void module_close(struct module *m)
{
    /* What lacks lines for now is looked up again. */
    if (m->use_cache && !module_note(m))
        symbol_table_store(m->table, m->file->build_id, m->signature);
    dwarf_file_close(m->dwarf);
    elf_file_close(m->file);
    elf_file_close(m->debug);
    symbol_table_free(m->table);
    free(m->signature);
    free(m->reason);
    free(m->note);
    free(m);
}
