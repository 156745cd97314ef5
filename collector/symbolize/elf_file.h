/*
 * An ELF file as the symbolizer needs it: identity, segments, code symbols, and
 * where its debug information is.
 */
#ifndef COLLECTOR_SYMBOLIZE_ELF_FILE_H
#define COLLECTOR_SYMBOLIZE_ELF_FILE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_symbol {
    uint64_t start; /* link-time address */
    uint64_t size;  /* 0: up to the next symbol */
    const char *name;
    unsigned char rank; /* of several names at one address the highest is shown */
};

struct elf_file {
    char *path;
    int fd;
    Elf *elf;
    char *build_id; /* hexadecimal, "" if there is none */
    /* Sorted by address, one for each address; lives as long as the file. */
    struct elf_symbol *symbols;
    size_t n_symbols, cap_symbols;
    Elf *mini;       /* of .gnu_debugdata */
    void *mini_data; /* its bytes */
    /* "/proc/PID/root" of a process in whose file system the file is; NULL: it is in ours */
    char *root;
    /* Sections that elf_zstd_expand() has made room for */
    void **expanded;
    size_t n_expanded, cap_expanded;
};

/* NULL with *why (static text) if it cannot be read or is no ELF file. */
struct elf_file *elf_file_open(const char *path, const char **why);
/* The same; the file's path says `name`. Of /proc's links that lead to a file without a path. */
struct elf_file *elf_file_open_at(const char *path, const char *name, const char **why);
/* The file that `path` is to a process whose root directory is `root`: links in it do not
 * lead out of there (openat2(2)). */
struct elf_file *elf_file_open_below(const char *root, const char *path, const char **why);
/* An image in our memory (the vDSO); it stays the caller's. */
struct elf_file *elf_file_open_memory(const char *name, void *image, size_t size);
/* NULL is fine. */
void elf_file_close(struct elf_file *f);

/* Link-time minus run-time address for a mapping of this file: add it to what the
 * profile says. False: no segment of the file fits. */
bool elf_file_find_bias(const struct elf_file *f, uint64_t start, uint64_t limit, uint64_t offset,
                        uint64_t *bias);

/* The section and its header, or NULL. */
Elf_Scn *elf_file_section(Elf *elf, const char *name, GElf_Shdr *sh);

/* The file's bytes at a link-time address, in the file's own memory; NULL: the file does not
 * have so many there. *more, if not NULL: how many there are (set even where NULL is
 * returned for size alone). */
const void *elf_file_bytes(const struct elf_file *f, uint64_t address, uint64_t size,
                           uint64_t *more);

/* Has the file debug information of its own (.debug_info, compressed or not)? */
bool elf_file_has_dwarf(const struct elf_file *f);

/* Adds the code symbols of `from` (.symtab, .gnu_debugdata, .dynsym; PT_DYNAMIC's
 * where section headers are gone) to f's table.
 * from is f itself or its debug file, which must stay open as long as f. */
void elf_file_add_symbols(struct elf_file *f, struct elf_file *from);
/* After the last elf_file_add_symbols(). */
void elf_file_sort_symbols(struct elf_file *f);
/* The symbol that contains a link-time address, or NULL. */
const struct elf_symbol *elf_file_find_symbol(const struct elf_file *f, uint64_t address);

/* The file with f's DWARF if that is not f itself, opened: by build id, by
 * .gnu_debuglink (checksum verified), by debuginfod. NULL: none found. */
struct elf_file *elf_file_open_debug(const struct elf_file *f);
/* The debug file or executable for a build id alone, without the file itself. */
struct elf_file *elf_file_open_build_id(const char *build_id);

#endif
