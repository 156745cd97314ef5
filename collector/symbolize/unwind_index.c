#include "symbolize/unwind_index.h"

#include <string.h>

/* Pointer encodings (LSB 10.5.1): relative to here or to the table, 4 bytes. */
#define PCREL_SDATA4 0x1b
#define DATAREL_SDATA4 0x3b
#define UDATA4 0x03

/* Before the pairs: version, three encodings, address of .eh_frame, count. */
#define HEADER_SIZE 12
#define PAIR_SIZE 8

/* A run of the file's bytes and its link-time address. */
struct span {
    const unsigned char *bytes;
    uint64_t address, size;
};

/* Little-endian; this project runs on nothing else. */
static int32_t read_int(const unsigned char *at)
{
    int32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static bool find_header(const struct elf_file *f, GElf_Phdr *header)
{
    size_t n = 0;
    elf_getphdrnum(f->elf, &n);
    for (size_t i = 0; i < n; i++)
        if (gelf_getphdr(f->elf, (int)i, header) && header->p_type == PT_GNU_EH_FRAME)
            return true;
    return false;
}

static bool read_span(const struct elf_file *f, uint64_t address, uint64_t size, struct span *out)
{
    *out = (struct span){elf_file_bytes(f, address, size, NULL), address, size};
    return out->bytes;
}

/* Does the function that the entry describes begin at start and contain the address?
 * Entries: length, distance of the common part, begin, size. Other encodings than
 * the usual one do not give the start back. */
static bool entry_covers(const struct elf_file *f, uint64_t at, uint64_t start, uint64_t address,
                         uint64_t *size)
{
    struct span s;
    if (!read_span(f, at, 16, &s))
        return false;
    uint64_t begin = at + 8 + (uint64_t)(int64_t)read_int(s.bytes + 8);
    uint32_t length = (uint32_t)read_int(s.bytes + 12);
    if (size)
        *size = length;
    return begin == start && address - start < length;
}

uint64_t unwind_index_find_entry(const struct elf_file *f, uint64_t address, uint64_t *size)
{
    GElf_Phdr header;
    struct span s;
    if (!find_header(f, &header) || header.p_memsz < HEADER_SIZE ||
        !read_span(f, header.p_vaddr, header.p_memsz, &s))
        return 0;
    if (s.bytes[0] != 1 || s.bytes[1] != PCREL_SDATA4 || s.bytes[2] != UDATA4 ||
        s.bytes[3] != DATAREL_SDATA4)
        return 0;
    uint64_t count = (uint32_t)read_int(s.bytes + 8), most = (s.size - HEADER_SIZE) / PAIR_SIZE;
    uint64_t low = 0, high = count < most ? count : most;
    const unsigned char *pairs = s.bytes + HEADER_SIZE;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (s.address + (uint64_t)(int64_t)read_int(pairs + middle * PAIR_SIZE) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return 0;
    const unsigned char *pair = pairs + (low - 1) * PAIR_SIZE;
    uint64_t start = s.address + (uint64_t)(int64_t)read_int(pair);
    uint64_t entry = s.address + (uint64_t)(int64_t)read_int(pair + 4);
    return entry_covers(f, entry, start, address, size) ? start : 0;
}
