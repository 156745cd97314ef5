#include "symbolize/dwarf_ranges.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void ranges_add(struct ranges *ranges, uint64_t low, uint64_t high, size_t owner)
{
    if (low >= high || !low) /* code dropped by the linker is left at 0 */
        return;
    ranges->list = mem_grow(ranges->list, ranges->n, &ranges->cap, sizeof *ranges->list);
    ranges->list[ranges->n++] = (struct range){low, high, owner};
}

static int compare_ranges(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    /* The wider first: looking backwards then finds the innermost. */
    return (x->high < y->high) - (x->high > y->high);
}

void ranges_sort(struct ranges *ranges)
{
    if (ranges->n)
        qsort(ranges->list, ranges->n, sizeof *ranges->list, compare_ranges);
}

/* Ranges nest shallowly (nested functions), so the look backwards is short. */
const struct range *ranges_find(const struct ranges *ranges, uint64_t address)
{
    size_t low = 0, high = ranges->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->list[middle].low <= address)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t back = 0; low > 0 && back < 64; back++)
        if (address < ranges->list[--low].high)
            return &ranges->list[low];
    return NULL;
}

/* Called for each range of a DIE; false ends it. */
typedef bool range_visitor(void *arg, uint64_t low, uint64_t high);

/* A place in a section; past its end everything reads as 0, which ends every list. */
struct cursor {
    struct dwarf_bytes bytes;
    size_t at;
};

static uint64_t read_8(struct cursor *cursor)
{
    uint64_t value = 0;
    if (cursor->at <= cursor->bytes.size && cursor->bytes.size - cursor->at >= sizeof value)
        memcpy(&value, cursor->bytes.data + cursor->at, sizeof value);
    else
        cursor->at = cursor->bytes.size;
    cursor->at += sizeof value;
    return value;
}

static uint8_t read_1(struct cursor *cursor)
{
    return cursor->at < cursor->bytes.size ? cursor->bytes.data[cursor->at++] : 0;
}

/* DWARF 5, 7.6. */
static uint64_t read_uleb(struct cursor *cursor)
{
    uint64_t value = 0;
    uint8_t byte = 0x80;
    for (unsigned shift = 0; byte & 0x80 && shift < 64; shift += 7) {
        byte = read_1(cursor);
        value |= (uint64_t)(byte & 0x7f) << shift;
    }
    return value;
}

static uint64_t read_address(const struct dwarf_bases *bases, struct cursor *cursor)
{
    uint64_t index = read_uleb(cursor);
    struct cursor at = {bases->addresses, 0};
    if (index >= bases->addresses.size / 8)
        return 0;
    at.at = (size_t)index * 8;
    return read_8(&at);
}

/* .debug_rnglists: DWARF 5, 7.25. */
static void visit_rnglist(const struct dwarf_bases *bases, size_t offset, range_visitor *visit,
                          void *arg)
{
    struct cursor cursor = {bases->lists, offset};
    uint64_t base = bases->low_pc;
    for (bool more = true; more;) {
        uint64_t low, high;
        switch (read_1(&cursor)) {
        case DW_RLE_base_addressx:
            base = read_address(bases, &cursor);
            continue;
        case DW_RLE_base_address:
            base = read_8(&cursor);
            continue;
        case DW_RLE_startx_endx:
            low = read_address(bases, &cursor);
            high = read_address(bases, &cursor);
            break;
        case DW_RLE_startx_length:
            low = read_address(bases, &cursor);
            high = low + read_uleb(&cursor);
            break;
        case DW_RLE_offset_pair:
            low = base + read_uleb(&cursor);
            high = base + read_uleb(&cursor);
            break;
        case DW_RLE_start_end:
            low = read_8(&cursor);
            high = read_8(&cursor);
            break;
        case DW_RLE_start_length:
            low = read_8(&cursor);
            high = low + read_uleb(&cursor);
            break;
        default: /* DW_RLE_end_of_list */
            return;
        }
        more = visit(arg, low, high);
    }
}

/* .debug_ranges: DWARF 4, 2.17.3. */
static void visit_range_list(const struct dwarf_bases *bases, size_t offset, range_visitor *visit,
                             void *arg)
{
    struct cursor cursor = {bases->lists, offset};
    uint64_t base = bases->low_pc;
    for (bool more = true; more;) {
        uint64_t low = read_8(&cursor), high = read_8(&cursor);
        if (low == 0 && high == 0)
            return;
        if (low == UINT64_MAX)
            base = high;
        else
            more = visit(arg, base + low, base + high);
    }
}

#define RNGLISTS_HEADER 12 /* DWARF 5, 7.28: then a table of offsets, which count from there */

/* Where a DIE's list begins. An index (DW_FORM_rnglistx) is looked up here, for libdw wants a base
 * that a split unit does not have. */
static bool find_list(Dwarf_Attribute *attribute, const struct dwarf_bases *bases, uint64_t *offset)
{
    if (dwarf_whatform(attribute) != DW_FORM_rnglistx)
        return dwarf_formudata(attribute, offset) == 0;
    uint32_t from_table;
    struct cursor cursor = {{attribute->valp, 10}, 0}; /* a number is 10 bytes at most */
    uint64_t index = read_uleb(&cursor);
    if (bases->lists.size < RNGLISTS_HEADER ||
        index >= (bases->lists.size - RNGLISTS_HEADER) / sizeof from_table)
        return false;
    memcpy(&from_table, bases->lists.data + RNGLISTS_HEADER + index * sizeof from_table,
           sizeof from_table);
    *offset = RNGLISTS_HEADER + (uint64_t)from_table;
    return true;
}

static void visit_packaged(Dwarf_Die *die, const struct dwarf_bases *bases, range_visitor *visit,
                           void *arg)
{
    Dwarf_Attribute attribute;
    Dwarf_Word offset;
    Dwarf_Addr low, high;
    Dwarf_Half version;
    if (dwarf_attr(die, DW_AT_ranges, &attribute)) {
        if (!find_list(&attribute, bases, &offset) ||
            dwarf_cu_info(die->cu, &version, NULL, NULL, NULL, NULL, NULL, NULL) != 0)
            return;
        if (version >= 5)
            visit_rnglist(bases, offset, visit, arg);
        else
            visit_range_list(bases, offset, visit, arg);
    } else if (dwarf_lowpc(die, &low) == 0 && dwarf_highpc(die, &high) == 0) {
        visit(arg, low, high);
    }
}

struct adding {
    struct ranges *ranges;
    size_t owner;
};

static bool add_one(void *arg, uint64_t low, uint64_t high)
{
    struct adding *adding = arg;
    ranges_add(adding->ranges, low, high, adding->owner);
    return true;
}

void ranges_add_die(struct ranges *ranges, Dwarf_Die *die, const struct dwarf_bases *bases,
                    size_t owner)
{
    struct adding adding = {ranges, owner};
    Dwarf_Addr base, low, high;
    ptrdiff_t at = 0;
    if (bases)
        visit_packaged(die, bases, add_one, &adding);
    else
        while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0)
            ranges_add(ranges, low, high, owner);
}

struct looking {
    uint64_t address;
    bool found;
};

static bool look(void *arg, uint64_t low, uint64_t high)
{
    struct looking *looking = arg;
    looking->found = looking->address >= low && looking->address < high;
    return !looking->found;
}

bool dwarf_die_has(Dwarf_Die *die, const struct dwarf_bases *bases, uint64_t address)
{
    struct looking looking = {address, false};
    if (!bases)
        return dwarf_haspc(die, address) > 0;
    visit_packaged(die, bases, look, &looking);
    return looking.found;
}
