/* Finding and parsing: .eh_frame_hdr, CIEs, FDEs. */
#include "unwind/bytes.h"
#include "unwind/cfi.h"

/* LSB 5.0 core, 10.5.1: pointer encodings. */
enum {
    PE_absptr = 0x00,
    PE_uleb128 = 0x01,
    PE_udata2 = 0x02,
    PE_udata4 = 0x03,
    PE_udata8 = 0x04,
    PE_sleb128 = 0x09,
    PE_sdata2 = 0x0a,
    PE_sdata4 = 0x0b,
    PE_sdata8 = 0x0c,
    PE_pcrel = 0x10,
    PE_datarel = 0x30,
    PE_indirect = 0x80,
    PE_omit = 0xff,
};

#define PE_FORMAT 0x0f
#define PE_BASE 0x70

#define LINEAR_MAX 65536 /* FDEs looked at in an object without a search table */

/* A record of .eh_frame, without its length field. */
struct record {
    struct bytes body;
    uintptr_t delta; /* real address of a byte - its pointer */
    uintptr_t id_at; /* real address of the CIE id / CIE pointer */
    uint64_t id;
    uintptr_t next; /* real address of the record after it */
};

/* size bytes at address: a pointer to them, or to the copy made in buffer. */
static const uint8_t *fetch(const struct cfi_source *source, uintptr_t address, size_t size,
                            void *buffer)
{
    if (address < source->low || address > source->high || source->high - address < size)
        return NULL;
    if (!source->copied)
        return (const uint8_t *)address;
    return memory_copy(buffer, address, size, source->effort) == MEMORY_COPIED ? buffer : NULL;
}

static bool fetch_u32(const struct cfi_source *source, uintptr_t address, uint32_t *value)
{
    uint32_t buffer;
    const uint8_t *at = fetch(source, address, sizeof buffer, &buffer);
    if (!at)
        return false;
    memcpy(value, at, sizeof *value);
    return true;
}

/* b's bytes lie at (pointer + delta); data_base: the .eh_frame_hdr. Indirect
 * pointers are personality routines': nobody here needs what they point to. */
static uintptr_t read_encoded(struct bytes *b, uint8_t encoding, uintptr_t delta,
                              uintptr_t data_base)
{
    uintptr_t at = (uintptr_t)b->at + delta;
    uint64_t value;
    switch (encoding & PE_FORMAT) {
    case PE_absptr:
    case PE_udata8:
    case PE_sdata8:
        value = bytes_unsigned(b, 8);
        break;
    case PE_uleb128:
        value = bytes_uleb(b);
        break;
    case PE_udata2:
        value = bytes_unsigned(b, 2);
        break;
    case PE_udata4:
        value = bytes_unsigned(b, 4);
        break;
    case PE_sleb128:
        value = (uint64_t)bytes_sleb(b);
        break;
    case PE_sdata2:
        value = (uint64_t)bytes_signed(b, 2);
        break;
    case PE_sdata4:
        value = (uint64_t)bytes_signed(b, 4);
        break;
    default:
        b->bad = true;
        return 0;
    }
    switch (encoding & PE_BASE) {
    case 0:
        return value;
    case PE_pcrel:
        return value + at;
    case PE_datarel:
        return value + data_base;
    default:
        b->bad = true;
        return 0;
    }
}

/* buffer of buffer_size bytes: for a copied source. CFI_NOT_COVERED: the terminator. */
static enum cfi_found read_record(const struct cfi_source *source, uintptr_t address,
                                  uint8_t *buffer, size_t buffer_size, struct record *record)
{
    uint32_t short_length;
    if (!fetch_u32(source, address, &short_length))
        return CFI_MALFORMED;
    uintptr_t start = address + 4;
    uint64_t length = short_length;
    if (short_length == 0)
        return CFI_NOT_COVERED;
    if (short_length == UINT32_MAX) { /* the 64-bit form */
        const uint8_t *at = fetch(source, start, 8, &length);
        if (!at)
            return CFI_MALFORMED;
        memcpy(&length, at, 8);
        start += 8;
    }
    if (length < 4 || (source->copied && length > buffer_size))
        return CFI_MALFORMED;
    const uint8_t *body = fetch(source, start, length, buffer);
    if (!body)
        return CFI_MALFORMED;
    record->body = (struct bytes){body, body + length, false};
    record->delta = start - (uintptr_t)body;
    record->id_at = start;
    record->id = bytes_unsigned(&record->body, 4); /* 4 bytes in .eh_frame, in both forms */
    record->next = start + length;
    return CFI_FOUND;
}

/* What stands between the augmentation string and the instructions. */
static bool parse_augmentation(const char *augmentation, struct bytes *b, uintptr_t delta,
                               uintptr_t data_base, struct cfi_fde *fde)
{
    uint64_t size = bytes_uleb(b);
    if (size > bytes_left(b))
        return false;
    struct bytes data = {b->at, b->at + size, false};
    for (const char *letter = augmentation + 1; *letter; letter++) {
        if (*letter == 'R')
            fde->encoding = bytes_u8(&data);
        else if (*letter == 'L')
            bytes_u8(&data);
        else if (*letter == 'P') {
            uint8_t encoding = bytes_u8(&data);
            read_encoded(&data, encoding & PE_FORMAT, delta, data_base);
        } else if (*letter == 'S')
            fde->signal_frame = true;
        else if (*letter != 'B' && *letter != 'G') /* aarch64: pointer-auth key, MTE stack */
            break; /* an unknown letter: the rest of the data can't be told apart */
    }
    bytes_skip(b, size);
    return !data.bad && !b->bad;
}

static bool parse_cie(const struct cfi_source *source, uintptr_t address,
                      struct cfi_scratch *scratch, struct cfi_fde *fde)
{
    struct record cie;
    if (read_record(source, address, scratch->cie, sizeof scratch->cie, &cie) != CFI_FOUND ||
        cie.id != 0)
        return false;
    struct bytes *b = &cie.body;
    uint8_t version = bytes_u8(b);
    const char *augmentation = (const char *)b->at;
    while (bytes_u8(b))
        ;
    if (b->bad || (version != 1 && version != 3 && version != 4))
        return false;
    if (version == 4 && (bytes_u8(b) != sizeof(uintptr_t) || bytes_u8(b) != 0))
        return false;
    fde->code_align = bytes_uleb(b);
    fde->data_align = bytes_sleb(b);
    uint64_t ra = version == 1 ? bytes_u8(b) : bytes_uleb(b);
    fde->encoding = PE_absptr;
    fde->signal_frame = false;
    fde->augmented = augmentation[0] == 'z';
    if (fde->augmented) {
        if (!parse_augmentation(augmentation, b, cie.delta, source->hdr, fde))
            return false;
    } else if (augmentation[0] != 0) {
        return false;
    }
    fde->initial = b->at;
    fde->initial_end = b->end;
    fde->initial_delta = cie.delta;
    return !b->bad && ra == ARCH_RA;
}

/* The body of cfi_parse_fde once its record is read. */
static enum cfi_found parse_fde_record(const struct cfi_source *source, struct record *record,
                                       struct cfi_scratch *scratch, struct cfi_fde *fde)
{
    struct bytes *b = &record->body;
    if (record->id == 0 || !parse_cie(source, record->id_at - record->id, scratch, fde))
        return CFI_MALFORMED;
    fde->start = read_encoded(b, fde->encoding, record->delta, source->hdr);
    fde->limit = fde->start + read_encoded(b, fde->encoding & PE_FORMAT, 0, 0);
    if (fde->augmented)
        bytes_skip(b, bytes_uleb(b));
    fde->program = b->at;
    fde->program_end = b->end;
    fde->program_delta = record->delta;
    return b->bad ? CFI_MALFORMED : CFI_FOUND;
}

enum cfi_found cfi_parse_fde(const struct cfi_source *source, uintptr_t address,
                             struct cfi_scratch *scratch, struct cfi_fde *fde)
{
    struct record record;
    enum cfi_found found = read_record(source, address, scratch->fde, sizeof scratch->fde, &record);
    return found == CFI_FOUND ? parse_fde_record(source, &record, scratch, fde) : found;
}

/* Without a search table: every record from the start of .eh_frame. */
static enum cfi_found search_linear(const struct cfi_source *source, uintptr_t address,
                                    uintptr_t pc, struct cfi_scratch *scratch, struct cfi_fde *fde)
{
    for (unsigned i = 0; i < LINEAR_MAX; i++) {
        struct record record;
        enum cfi_found found =
            read_record(source, address, scratch->fde, sizeof scratch->fde, &record);
        if (found != CFI_FOUND)
            return found;
        if (record.id != 0 && parse_fde_record(source, &record, scratch, fde) == CFI_FOUND &&
            pc >= fde->start && pc < fde->limit)
            return CFI_FOUND;
        address = record.next;
    }
    return CFI_NOT_COVERED;
}

/* The sorted table of (function start, FDE), both 32-bit, relative to the header. */
static enum cfi_found search_table(const struct cfi_source *source, uintptr_t table, uint64_t count,
                                   uintptr_t pc, struct cfi_scratch *scratch, struct cfi_fde *fde)
{
    int64_t wanted = (int64_t)(pc - source->hdr);
    uint64_t low = 0,
             high = count; /* the last entry that starts at or before pc is in [low-1, high) */
    uint32_t value;
    if (table > source->high || count > (source->high - table) / 8)
        return CFI_MALFORMED;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (!fetch_u32(source, table + middle * 8, &value))
            return CFI_MALFORMED;
        if ((int32_t)value <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return CFI_NOT_COVERED;
    if (!fetch_u32(source, table + (low - 1) * 8 + 4, &value))
        return CFI_MALFORMED;
    enum cfi_found found =
        cfi_parse_fde(source, source->hdr + (uintptr_t)(intptr_t)(int32_t)value, scratch, fde);
    if (found == CFI_FOUND && (pc < fde->start || pc >= fde->limit))
        return CFI_NOT_COVERED;
    return found;
}

enum cfi_found cfi_find_fde(const struct cfi_source *source, uintptr_t pc,
                            struct cfi_scratch *scratch, struct cfi_fde *fde)
{
    uint8_t buffer[4 + 2 * 10];
    size_t room =
        source->high - source->hdr < sizeof buffer ? source->high - source->hdr : sizeof buffer;
    const uint8_t *hdr = fetch(source, source->hdr, room, buffer);
    if (!hdr || room < 4 || hdr[0] != 1)
        return CFI_MALFORMED;
    struct bytes b = {hdr + 4, hdr + room, false};
    uintptr_t delta = source->hdr - (uintptr_t)hdr;
    uintptr_t frames = read_encoded(&b, hdr[1], delta, source->hdr);
    if (b.bad)
        return CFI_MALFORMED;
    if (hdr[2] == PE_omit || hdr[3] != (PE_datarel | PE_sdata4))
        return search_linear(source, frames, pc, scratch, fde);
    uint64_t count = read_encoded(&b, hdr[2], delta, source->hdr);
    if (b.bad)
        return CFI_MALFORMED;
    return search_table(source, (uintptr_t)b.at + delta, count, pc, scratch, fde);
}
