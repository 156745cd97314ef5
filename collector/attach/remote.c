#include "attach/remote.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/peek.h"

#define SEGMENTS_MAX 64
#define SYMBOLS_MAX (1u << 20) /* more than any library exports: the table is damaged */
#define OBJECTS_MAX 65536      /* the same for the list of objects */

bool remote_maps_read(pid_t pid, struct remote_maps *maps)
{
    char path[32], *line = NULL;
    size_t size = 0;
    memset(maps, 0, sizeof *maps);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while (getline(&line, &size, file) > 0) {
        struct remote_mapping m = {0};
        int name = 0;
        if (sscanf(line, "%lx-%lx %4s %lx %*s %lu %n", &m.start, &m.limit, m.permissions, &m.offset,
                   &m.inode, &name) < 5)
            continue;
        line[strcspn(line, "\n")] = '\0';
        m.path = mem_strdup(name ? line + name : "");
        maps->maps = mem_grow(maps->maps, maps->count, &maps->cap, sizeof *maps->maps);
        maps->maps[maps->count++] = m;
    }
    free(line);
    fclose(file);
    errno = ESRCH;
    return maps->count > 0;
}

void remote_maps_free(struct remote_maps *maps)
{
    for (size_t n = 0; n < maps->count; n++)
        free(maps->maps[n].path);
    free(maps->maps);
    memset(maps, 0, sizeof *maps);
}

const struct remote_mapping *remote_maps_find(const struct remote_maps *maps, uint64_t address)
{
    for (size_t n = 0; n < maps->count; n++)
        if (address >= maps->maps[n].start && address < maps->maps[n].limit)
            return &maps->maps[n];
    return NULL;
}

const struct remote_mapping *remote_maps_object(const struct remote_maps *maps, const char *prefix)
{
    for (size_t n = 0; n < maps->count; n++) {
        const struct remote_mapping *m = &maps->maps[n];
        const char *slash = strrchr(m->path, '/');
        if (slash && m->offset == 0 && strncmp(slash + 1, prefix, strlen(prefix)) == 0)
            return m;
    }
    return NULL;
}

bool remote_write(pid_t pid, uint64_t address, const void *buffer, size_t size)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t written = pwrite(fd, buffer, size, (off_t)address);
    close(fd);
    return written == (ssize_t)size;
}

/* What a symbol look-up needs of an object's dynamic section. */
struct dynamic {
    uint64_t symbols, strings, strings_size, gnu_hash, hash;
};

/* glibc has relocated these addresses in memory, musl has not. */
static uint64_t relocated(uint64_t base, uint64_t value)
{
    return value && value < base ? base + value : value;
}

static bool read_dynamic(pid_t pid, uint64_t base, struct dynamic *dynamic)
{
    ElfW(Ehdr) header;
    ElfW(Phdr) segments[SEGMENTS_MAX];
    memset(dynamic, 0, sizeof *dynamic);
    if (!peek(pid, base, &header, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_phnum > SEGMENTS_MAX ||
        !peek(pid, base + header.e_phoff, segments, header.e_phnum * sizeof *segments))
        return false;
    for (size_t n = 0; n < header.e_phnum; n++) {
        if (segments[n].p_type != PT_DYNAMIC)
            continue;
        size_t count = segments[n].p_memsz / sizeof(ElfW(Dyn));
        uint64_t bias = header.e_type == ET_DYN ? base : 0;
        ElfW(Dyn) entry;
        for (size_t i = 0; i < count; i++) {
            if (!peek(pid, bias + segments[n].p_vaddr + i * sizeof entry, &entry, sizeof entry) ||
                entry.d_tag == DT_NULL)
                break;
            switch (entry.d_tag) {
            case DT_SYMTAB:
                dynamic->symbols = relocated(base, entry.d_un.d_ptr);
                break;
            case DT_STRTAB:
                dynamic->strings = relocated(base, entry.d_un.d_ptr);
                break;
            case DT_STRSZ:
                dynamic->strings_size = entry.d_un.d_val;
                break;
            case DT_GNU_HASH:
                dynamic->gnu_hash = relocated(base, entry.d_un.d_ptr);
                break;
            case DT_HASH:
                dynamic->hash = relocated(base, entry.d_un.d_ptr);
                break;
            default:
                break;
            }
        }
    }
    return dynamic->symbols && dynamic->strings && (dynamic->gnu_hash || dynamic->hash);
}

/* The dynamic symbol table's length: DT_HASH tells it, the GNU table's last chain ends
 * with the last symbol ("GNU hash ELF sections", A. Roenes; binutils' gnu hash). */
static uint32_t count_symbols(pid_t pid, const struct dynamic *dynamic)
{
    uint32_t head[4] = {0}, last = 0;
    if (dynamic->hash && peek(pid, dynamic->hash, head, 2 * sizeof *head))
        return head[1];
    if (!dynamic->gnu_hash || !peek(pid, dynamic->gnu_hash, head, sizeof head) ||
        head[0] > SYMBOLS_MAX)
        return 0;
    uint64_t buckets = dynamic->gnu_hash + 16 + (uint64_t)head[2] * sizeof(ElfW(Addr));
    uint64_t chains = buckets + (uint64_t)head[0] * 4;
    uint32_t *bucket = calloc(head[0] + 1, sizeof *bucket);
    if (bucket && peek(pid, buckets, bucket, head[0] * sizeof *bucket))
        for (uint32_t n = 0; n < head[0]; n++)
            last = bucket[n] > last ? bucket[n] : last;
    free(bucket);
    if (last < head[1])
        return head[1];
    for (uint32_t hash = 0; last < SYMBOLS_MAX; last++)
        if (!peek(pid, chains + (uint64_t)(last - head[1]) * 4, &hash, 4) || hash & 1)
            return last + 1;
    return 0;
}

static uint64_t search(const ElfW(Sym) * symbols, uint32_t count, const char *strings,
                       size_t strings_size, const char *name)
{
    size_t length = strlen(name) + 1;
    for (uint32_t n = 0; n < count; n++)
        if (symbols[n].st_shndx != SHN_UNDEF && symbols[n].st_value &&
            symbols[n].st_name + length <= strings_size &&
            memcmp(strings + symbols[n].st_name, name, length) == 0)
            return symbols[n].st_value;
    return 0;
}

uint64_t remote_symbol(pid_t pid, uint64_t base, const char *name)
{
    struct dynamic dynamic;
    uint64_t value = 0;
    uint32_t count = 0;
    if (read_dynamic(pid, base, &dynamic))
        count = count_symbols(pid, &dynamic);
    if (count == 0 || count > SYMBOLS_MAX || dynamic.strings_size > (64u << 20))
        return 0;
    ElfW(Sym) *symbols = malloc(count * sizeof *symbols);
    char *strings = malloc(dynamic.strings_size + 1);
    if (symbols && strings && peek(pid, dynamic.symbols, symbols, count * sizeof *symbols) &&
        peek(pid, dynamic.strings, strings, dynamic.strings_size))
        value = search(symbols, count, strings, dynamic.strings_size, name);
    free(symbols);
    free(strings);
    return value ? base + value : 0;
}

uint64_t remote_handle(pid_t pid, uint64_t r_debug, uint64_t base)
{
    struct r_debug debug;
    struct link_map map;
    if (!peek(pid, r_debug, &debug, sizeof debug))
        return 0;
    uint64_t at = (uintptr_t)debug.r_map;
    for (int n = 0; at && n < OBJECTS_MAX; n++, at = (uintptr_t)map.l_next) {
        if (!peek(pid, at, &map, sizeof map))
            return 0;
        if (map.l_addr == base)
            return at;
    }
    return 0;
}

int remote_copy(pid_t pid, uint64_t base)
{
    struct remote_maps maps;
    if (!remote_maps_read(pid, &maps))
        return -1;
    int fd = memfd_create("object", MFD_CLOEXEC);
    const struct remote_mapping *first = remote_maps_find(&maps, base);
    for (const struct remote_mapping *m = first;
         fd >= 0 && m && m < maps.maps + maps.count && m->inode == first->inode; m++) {
        size_t size = m->limit - m->start;
        unsigned char *bytes = malloc(size);
        if (!bytes || !peek(pid, m->start, bytes, size) ||
            pwrite(fd, bytes, size, (off_t)m->offset) != (ssize_t)size) {
            close(fd);
            fd = -1;
        }
        free(bytes);
    }
    remote_maps_free(&maps);
    return fd;
}

bool remote_find_code(pid_t pid, const struct remote_maps *maps,
                      const struct remote_mapping *object, struct arch_code *code)
{
    bool found = false;
    for (const struct remote_mapping *m = object;
         !found && m < maps->maps + maps->count && strcmp(m->path, object->path) == 0; m++) {
        if (m->permissions[2] != 'x')
            continue;
        size_t size = m->limit - m->start;
        unsigned char *bytes = malloc(size);
        if (bytes && peek(pid, m->start, bytes, size))
            found = arch_find_code(bytes, size, m->start, code);
        free(bytes);
    }
    return found;
}
