#include "symbolize/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

/* Segments are mapped in whole pages; 4 kB is the smallest page of any machine. */
#define PAGE 4096ULL

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

/* Takes fd, which may be -1 with errno. */
static struct elf_file *open_descriptor(const char *name, int fd, const char **why)
{
    struct stat st;
    if (fd < 0) {
        *why = strerror(errno);
        return NULL;
    }
    elf_version(EV_CURRENT);
    /* Private: elf_zstd_expand() corrects section headers in our copy. */
    Elf *elf = NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        elf = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
    if (!elf || elf_kind(elf) != ELF_K_ELF) {
        *why = "not an ELF file";
        elf_end(elf);
        close(fd);
        return NULL;
    }
    return open_elf(name, fd, elf);
}

/* Profiles may name anything: opening a FIFO must not wait for its writer. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

struct elf_file *elf_file_open_at(const char *path, const char *name, const char **why)
{
    return open_descriptor(name, open(path, OPEN_FLAGS), why);
}

struct elf_file *elf_file_open(const char *path, const char **why)
{
    return elf_file_open_at(path, path, why);
}

struct elf_file *elf_file_open_below(const char *root, const char *path, const char **why)
{
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_IN_ROOT};
    int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
    char *name = mem_printf("%s%s", root, path);
    struct elf_file *f = open_descriptor(name, fd, why);
    if (f)
        f->root = mem_strdup(root);
    if (dir >= 0)
        close(dir);
    free(name);
    return f;
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
    for (size_t i = 0; i < f->n_expanded; i++)
        free(f->expanded[i]);
    free(f->expanded);
    free(f->build_id);
    free(f->root);
    free(f->path);
    free(f);
}

Elf_Scn *elf_file_section(Elf *elf, const char *name, GElf_Shdr *sh)
{
    size_t names;
    if (elf_getshdrstrndx(elf, &names) < 0)
        return NULL;
    for (Elf_Scn *s = elf_nextscn(elf, NULL); s; s = elf_nextscn(elf, s)) {
        const char *this = gelf_getshdr(s, sh) ? elf_strptr(elf, names, sh->sh_name) : NULL;
        if (this && strcmp(this, name) == 0)
            return s;
    }
    return NULL;
}

const void *elf_file_bytes(const struct elf_file *f, uint64_t address, uint64_t size,
                           uint64_t *more)
{
    GElf_Phdr ph;
    size_t n = 0, file_size;
    const char *file = elf_rawfile(f->elf, &file_size);
    elf_getphdrnum(f->elf, &n);
    for (size_t i = 0; file && i < n; i++) {
        if (!gelf_getphdr(f->elf, (int)i, &ph) || ph.p_type != PT_LOAD || address < ph.p_vaddr ||
            address - ph.p_vaddr >= ph.p_filesz)
            continue;
        uint64_t into = address - ph.p_vaddr, offset = ph.p_offset + into;
        uint64_t room = ph.p_filesz - into;
        if (offset < ph.p_offset || offset > file_size)
            return NULL;
        if (room > file_size - offset)
            room = file_size - offset;
        if (more)
            *more = room;
        return size <= room ? file + offset : NULL;
    }
    return NULL;
}

bool elf_file_has_dwarf(const struct elf_file *f)
{
    GElf_Shdr sh;
    return (elf_file_section(f->elf, ".debug_info", &sh) ||
            elf_file_section(f->elf, ".zdebug_info", &sh)) &&
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
