#include "symbolize/dwarf_file.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "symbolize/dwarf_name.h"

/* libdw keeps the line table of every unit it has read: at some 40 bytes a line,
 * this many are 160 MB. Past it the handle is opened anew, so that a program with a
 * gigabyte of DWARF can be symbolized in bounded memory. */
#define MAX_CACHED_LINES 4000000

/* Part of the address space that belongs to one unit, or to one function. */
struct range {
    uint64_t low, high; /* high is exclusive */
    size_t owner;       /* index of the unit; for functions, the DIE's offset */
};

struct ranges {
    struct range *list;
    size_t n, cap;
};

struct unit {
    Dwarf_Off die;          /* of the unit (the skeleton, if its DWARF is split) */
    bool is_read, is_split; /* functions has been filled in */
    struct ranges functions;
    struct dwarf_scopes scopes;
};

struct dwarf_file {
    int fd;
    Elf *elf;
    Dwarf *dwarf;
    struct unit *units;
    size_t n_units, cap_units;
    struct ranges index; /* address -> unit */
    size_t cached_lines;
    char *names[DWARF_MAX_FRAMES]; /* of the last look-up */
};

static void ranges_add(struct ranges *r, uint64_t low, uint64_t high, size_t owner)
{
    if (low >= high || !low) /* code dropped by the linker is left at 0 */
        return;
    r->list = mem_grow(r->list, r->n, &r->cap, sizeof(*r->list));
    r->list[r->n++] = (struct range){low, high, owner};
}

static int compare_ranges(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    /* The wider first: looking backwards then finds the innermost. */
    return (x->high < y->high) - (x->high > y->high);
}

static void ranges_sort(struct ranges *r)
{
    if (r->n)
        qsort(r->list, r->n, sizeof(*r->list), compare_ranges);
}

/* The innermost range that contains address, or NULL. Ranges nest shallowly (nested
 * functions), so the look backwards is short. */
static const struct range *ranges_find(const struct ranges *r, uint64_t address)
{
    size_t low = 0, high = r->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->list[middle].low <= address)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t back = 0; low > 0 && back < 64; back++)
        if (address < r->list[--low].high)
            return &r->list[low];
    return NULL;
}

static void add_die_ranges(struct ranges *r, Dwarf_Die *die, size_t owner)
{
    Dwarf_Addr base, low, high;
    ptrdiff_t at = 0;
    while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0)
        ranges_add(r, low, high, owner);
}

static void index_units(struct dwarf_file *d)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die die, sub;
    uint8_t type;
    while (dwarf_get_units(d->dwarf, cu, &cu, NULL, &type, &die, &sub) == 0) {
        if (type != DW_UT_compile && type != DW_UT_skeleton)
            continue;
        d->units = mem_grow(d->units, d->n_units, &d->cap_units, sizeof(*d->units));
        d->units[d->n_units] = (struct unit){
            .die = dwarf_dieoffset(&die),
            .is_split = type == DW_UT_skeleton && dwarf_tag(&sub) != DW_TAG_invalid,
        };
        add_die_ranges(&d->index, &die, d->n_units++);
    }
    ranges_sort(&d->index);
}

/* Units that name no ranges themselves may still stand in .debug_aranges. */
static void index_aranges(struct dwarf_file *d)
{
    Dwarf_Aranges *aranges;
    size_t n, before = d->index.n;
    if (dwarf_getaranges(d->dwarf, &aranges, &n) != 0)
        return;
    for (size_t i = 0; i < n; i++) {
        Dwarf_Addr low;
        Dwarf_Word length;
        Dwarf_Off die;
        Dwarf_Arange *a = dwarf_onearange(aranges, i);
        if (!a || dwarf_getarangeinfo(a, &low, &length, &die) != 0)
            continue;
        const struct range *known = ranges_find(&d->index, low);
        if (known && known < d->index.list + before)
            continue;
        size_t from = 0, to = d->n_units;
        while (from < to) {
            size_t middle = from + (to - from) / 2;
            if (d->units[middle].die < die)
                from = middle + 1;
            else
                to = middle;
        }
        if (from < d->n_units && d->units[from].die == die)
            ranges_add(&d->index, low, low + length, from);
    }
}

struct dwarf_file *dwarf_file_open(const struct elf_file *f)
{
    Dwarf *dwarf = dwarf_begin_elf(f->elf, DWARF_C_READ, NULL);
    if (!dwarf)
        return NULL;
    struct dwarf_file *d = mem_zero(1, sizeof(*d));
    d->fd = f->fd;
    d->elf = f->elf;
    d->dwarf = dwarf;
    index_units(d);
    size_t sorted = d->index.n;
    index_aranges(d);
    if (d->index.n != sorted)
        ranges_sort(&d->index);
    return d;
}

static void forget_unit(struct unit *u)
{
    free(u->functions.list);
    free(u->scopes.list);
    u->functions = (struct ranges){0};
    u->scopes = (struct dwarf_scopes){0};
    u->is_read = false;
}

static void forget_names(struct dwarf_file *d)
{
    for (size_t i = 0; i < DWARF_MAX_FRAMES; i++) {
        free(d->names[i]);
        d->names[i] = NULL;
    }
}

void dwarf_file_close(struct dwarf_file *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n_units; i++)
        forget_unit(&d->units[i]);
    forget_names(d);
    free(d->units);
    free(d->index.list);
    dwarf_end(d->dwarf);
    free(d);
}

/* Concrete functions stand below the unit, namespaces, classes, and other functions.
 * scope: offset of the innermost DIE around `parent`'s children that is part of a name. */
static void collect_functions(struct unit *u, Dwarf_Die *parent, Dwarf_Off scope, unsigned depth)
{
    Dwarf_Die die;
    if (depth > 64 || dwarf_child(parent, &die) != 0)
        return;
    do {
        Dwarf_Off offset = dwarf_dieoffset(&die);
        switch (dwarf_tag(&die)) {
        case DW_TAG_subprogram:
            add_die_ranges(&u->functions, &die, offset);
            dwarf_scopes_add(&u->scopes, offset, scope);
            collect_functions(u, &die, offset, depth + 1);
            break;
        case DW_TAG_namespace:
        case DW_TAG_module:
        case DW_TAG_class_type:
        case DW_TAG_structure_type:
        case DW_TAG_union_type:
        case DW_TAG_interface_type:
            dwarf_scopes_add(&u->scopes, offset, scope);
            collect_functions(u, &die, offset, depth + 1);
            break;
        case DW_TAG_lexical_block:
        case DW_TAG_inlined_subroutine:
        case DW_TAG_common_block:
            collect_functions(u, &die, scope, depth + 1);
            break;
        default:
            break;
        }
    } while (dwarf_siblingof(&die, &die) == 0);
}

/* The unit's DIE with the functions in it, and the one with its line table. */
static bool unit_dies(struct dwarf_file *d, struct unit *u, Dwarf_Die *code, Dwarf_Die *lines)
{
    Dwarf_Die unit;
    if (!dwarf_offdie(d->dwarf, u->die, lines))
        return false;
    *code = *lines;
    return !u->is_split || dwarf_cu_info(lines->cu, NULL, NULL, &unit, code, NULL, NULL, NULL) == 0;
}

static void read_unit(struct dwarf_file *d, struct unit *u, Dwarf_Die *code)
{
    if (u->is_read)
        return;
    u->is_read = true;
    collect_functions(u, code, 0, 0);
    ranges_sort(&u->functions);
}

static unsigned number_attribute(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value;
    if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0)
        return 0;
    return value > 0x7fffffff ? 0 : (unsigned)value;
}

/* The chain of inlined calls at address below a function, outermost first. */
static size_t find_inlined(Dwarf_Die *parent, uint64_t address, Dwarf_Die *chain, size_t n,
                           unsigned depth)
{
    Dwarf_Die die;
    if (n >= DWARF_MAX_FRAMES || depth > 256 || dwarf_child(parent, &die) != 0)
        return n;
    do {
        int tag = dwarf_tag(&die);
        bool inlined = tag == DW_TAG_inlined_subroutine;
        bool block =
            tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
        if (!inlined && !block)
            continue;
        int has = dwarf_haspc(&die, address);
        if (inlined && has > 0) {
            chain[n] = die;
            return find_inlined(&chain[n], address, chain, n + 1, depth + 1);
        }
        if (block && (has > 0 ||
                      (!dwarf_hasattr(&die, DW_AT_low_pc) && !dwarf_hasattr(&die, DW_AT_ranges)))) {
            size_t more = find_inlined(&die, address, chain, n, depth + 1);
            if (more > n)
                return more;
        }
    } while (dwarf_siblingof(&die, &die) == 0);
    return n;
}

/* A unit's line table, counted when it is read for the first time. */
static void count_lines(struct dwarf_file *d, Dwarf_Die *unit)
{
    Dwarf_Lines *lines;
    size_t n;
    if (dwarf_getsrclines(unit, &lines, &n) == 0)
        d->cached_lines += n;
}

static void fill_line(Dwarf_Die *unit, uint64_t address, struct dwarf_frame *f)
{
    Dwarf_Line *line = dwarf_getsrc_die(unit, address);
    int number, column;
    if (!line)
        return;
    f->file = dwarf_linesrc(line, NULL, NULL);
    if (dwarf_lineno(line, &number) == 0 && number > 0)
        f->line = (unsigned)number;
    if (dwarf_linecol(line, &column) == 0 && column > 0)
        f->column = (unsigned)column;
}

/* Split units: libdw 0.188 asserts in dwarf_decl_file() that the file table has been
 * read, but reads the line table only. */
static const char *declared_file(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    Dwarf_Die unit;
    Dwarf_Files *files;
    size_t n;
    Dwarf_Word index;
    if (dwarf_formudata(dwarf_attr_integrate(die, DW_AT_decl_file, &attribute), &index) != 0 ||
        !dwarf_cu_die(attribute.cu, &unit, NULL, NULL, NULL, NULL, NULL, NULL) ||
        dwarf_getsrcfiles(&unit, &files, &n) != 0 || index >= n)
        return NULL;
    return dwarf_filesrc(files, index, NULL, NULL);
}

/* The declared start counts only in the file the line is in. */
static void fill_function(Dwarf_Die *die, struct dwarf_frame *f)
{
    int line;
    const char *file = declared_file(die);
    if (!f->file)
        f->file = file;
    if (dwarf_decl_line(die, &line) == 0 && line > 0 && file && strcmp(file, f->file) == 0)
        f->start_line = (unsigned)line;
}

/* Where the call was made that `die` is the inlined body of. */
static void fill_call_site(Dwarf_Die *unit, Dwarf_Die *die, struct dwarf_frame *caller)
{
    Dwarf_Files *files;
    size_t n;
    unsigned file = number_attribute(die, DW_AT_call_file);
    caller->line = number_attribute(die, DW_AT_call_line);
    caller->column = number_attribute(die, DW_AT_call_column);
    if (dwarf_getsrcfiles(unit, &files, &n) == 0 && file < n)
        caller->file = dwarf_filesrc(files, file, NULL, NULL);
}

/* A fresh handle forgets all line tables; what we keep are offsets. */
static void bound_memory(struct dwarf_file *d)
{
    if (d->cached_lines < MAX_CACHED_LINES)
        return;
    Dwarf *fresh = dwarf_begin_elf(d->elf, DWARF_C_READ, NULL);
    if (!fresh)
        return;
    dwarf_end(d->dwarf);
    d->dwarf = fresh;
    d->cached_lines = 0;
    /* Split units are numbered in another file, read again with the new handle. */
    for (size_t i = 0; i < d->n_units; i++)
        if (d->units[i].is_split)
            forget_unit(&d->units[i]);
}

/* The DIE of a function by the offset collect_functions() noted. */
static bool function_die(struct dwarf_file *d, struct unit *u, Dwarf_Die *code, size_t offset,
                         Dwarf_Die *die)
{
    return dwarf_offdie(u->is_split ? dwarf_cu_getdwarf(code->cu) : d->dwarf, offset, die);
}

size_t dwarf_file_lookup(struct dwarf_file *d, uint64_t address,
                         struct dwarf_frame frames[DWARF_MAX_FRAMES], uint64_t *entry)
{
    Dwarf_Die code, lines, chain[DWARF_MAX_FRAMES + 1];
    *entry = 0;
    bound_memory(d);
    forget_names(d);
    const struct range *in_unit = ranges_find(&d->index, address);
    if (!in_unit)
        return 0;
    struct unit *u = &d->units[in_unit->owner];
    if (!unit_dies(d, u, &code, &lines))
        return 0;
    if (!u->is_read) {
        read_unit(d, u, &code);
        count_lines(d, &lines);
    }
    const char *dir = dwarf_string(&lines, DW_AT_comp_dir);
    const struct range *function = ranges_find(&u->functions, address);
    size_t n = 1;
    memset(frames, 0, sizeof(*frames));
    if (!function || !function_die(d, u, &code, function->owner, &chain[0])) {
        fill_line(&lines, address, &frames[0]);
        frames[0].dir = dir;
        return frames[0].line ? 1 : 0;
    }
    dwarf_entrypc(&chain[0], entry);
    n = find_inlined(&chain[0], address, chain, 1, 0);
    for (size_t i = 0; i < n; i++) {
        struct dwarf_frame *f = &frames[i];
        Dwarf_Die *die = &chain[n - 1 - i];
        *f = (struct dwarf_frame){.dir = dir};
        if (i == 0)
            fill_line(&lines, address, f);
        else
            fill_call_site(&code, &chain[n - i], f);
        f->name = d->names[i] = dwarf_function_name(die, &u->scopes);
        fill_function(die, f);
    }
    return n;
}
