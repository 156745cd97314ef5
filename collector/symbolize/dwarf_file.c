#include "symbolize/dwarf_file.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "symbolize/dwarf_name.h"
#include "symbolize/dwarf_package.h"
#include "symbolize/dwarf_ranges.h"

/* libdw keeps the line table of every unit it has read: at some 40 bytes a line,
 * this many are 160 MB. Past it the handle is opened anew, so that a program with a
 * gigabyte of DWARF can be symbolized in bounded memory. */
#define MAX_CACHED_LINES 4000000

struct unit {
    Dwarf_Off die;                   /* of the unit (the skeleton, if its DWARF is split) */
    bool is_read;                    /* functions has been filled in */
    bool is_split;                   /* its functions are in another file, */
    bool is_missing;                 /* or in one that was not found so far, */
    struct dwarf_packaged *packaged; /* in this unit of a package; NULL: libdw knows the file */
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
    char *package_path; /* where a package of split units would be */
    struct dwarf_package *package;
    bool package_looked_for;
    char *missing; /* why some functions are unknown; NULL: nothing is known to be missing */
    char *names[DWARF_MAX_FRAMES]; /* of the last look-up */
};

static void index_units(struct dwarf_file *d)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die die, sub;
    uint8_t type;
    while (dwarf_get_units(d->dwarf, cu, &cu, NULL, &type, &die, &sub) == 0) {
        if (type != DW_UT_compile && type != DW_UT_skeleton)
            continue;
        d->units = mem_grow(d->units, d->n_units, &d->cap_units, sizeof(*d->units));
        bool is_skeleton = type == DW_UT_skeleton;
        d->units[d->n_units] = (struct unit){
            .die = dwarf_dieoffset(&die),
            .is_split = is_skeleton && dwarf_tag(&sub) != DW_TAG_invalid,
            .is_missing = is_skeleton && dwarf_tag(&sub) == DW_TAG_invalid,
        };
        ranges_add_die(&d->index, &die, NULL, d->n_units++);
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

struct dwarf_file *dwarf_file_open(const struct elf_file *f, const char *program)
{
    Dwarf *dwarf = dwarf_begin_elf(f->elf, DWARF_C_READ, NULL);
    if (!dwarf)
        return NULL;
    struct dwarf_file *d = mem_zero(1, sizeof(*d));
    d->fd = f->fd;
    d->elf = f->elf;
    d->dwarf = dwarf;
    d->package_path = mem_printf("%s%s.dwp", f->root ? f->root : "", program);
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
    dwarf_packaged_free(u->packaged);
    u->functions = (struct ranges){0};
    u->scopes = (struct dwarf_scopes){0};
    u->is_missing |= u->packaged != NULL;
    u->packaged = NULL;
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
    dwarf_package_close(d->package);
    free(d->package_path);
    free(d->missing);
    free(d);
}

const char *dwarf_file_missing(const struct dwarf_file *d)
{
    return d->missing;
}

/* What a packaged unit's ranges refer to; NULL: libdw knows. */
static const struct dwarf_bases *unit_bases(const struct unit *u)
{
    return u->packaged ? &u->packaged->bases : NULL;
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
            ranges_add_die(&u->functions, &die, unit_bases(u), offset);
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

/* The only unit's DIE. */
static bool packaged_die(const struct dwarf_packaged *packaged, Dwarf_Die *die)
{
    Dwarf_CU *cu = NULL;
    return dwarf_get_units(packaged->dwarf, NULL, &cu, NULL, NULL, die, NULL) == 0;
}

/* Looks for a unit that libdw did not find: it is in a package, or lost, which is noted. */
static void find_missing(struct dwarf_file *d, struct unit *u, Dwarf_Die *skeleton)
{
    u->is_missing = false;
    if (!d->package_looked_for) {
        d->package_looked_for = true;
        d->package = dwarf_package_open(d->package_path);
    }
    u->packaged = d->package ? dwarf_package_unit(d->package, d->elf, skeleton) : NULL;
    u->is_split |= u->packaged != NULL;
    if (!u->packaged && !d->missing) {
        const char *name = dwarf_string(skeleton, DW_AT_dwo_name);
        if (!name)
            name = dwarf_string(skeleton, DW_AT_GNU_dwo_name);
        const char *dir = dwarf_string(skeleton, DW_AT_comp_dir);
        bool whole = !name || *name == '/' || !dir;
        d->missing = mem_printf("%s%s%s is not there, nor is it in %s", whole ? "" : dir,
                                whole ? "" : "/", name ? name : "a .dwo file", d->package_path);
    }
}

/* The unit's DIE with the functions in it, and the one with its line table. */
static bool unit_dies(struct dwarf_file *d, struct unit *u, Dwarf_Die *code, Dwarf_Die *lines)
{
    Dwarf_Die unit;
    if (!dwarf_offdie(d->dwarf, u->die, lines))
        return false;
    if (u->is_missing)
        find_missing(d, u, lines);
    *code = *lines;
    if (u->packaged)
        return packaged_die(u->packaged, code);
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
static size_t find_inlined(const struct unit *u, Dwarf_Die *parent, uint64_t address,
                           Dwarf_Die *chain, size_t n, unsigned depth)
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
        bool has = dwarf_die_has(&die, unit_bases(u), address);
        if (inlined && has) {
            chain[n] = die;
            return find_inlined(u, &chain[n], address, chain, n + 1, depth + 1);
        }
        if (block &&
            (has || (!dwarf_hasattr(&die, DW_AT_low_pc) && !dwarf_hasattr(&die, DW_AT_ranges)))) {
            size_t more = find_inlined(u, &die, address, chain, n, depth + 1);
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

/* The declared start counts only in the file the line is in. */
static void fill_function(Dwarf_Die *die, Dwarf_Die *files, struct dwarf_frame *f)
{
    int line;
    const char *file = dwarf_declared_file(die, files);
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
    Dwarf_Die *files = u->packaged ? &lines : NULL; /* whose table of files the functions use */
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
    n = find_inlined(u, &chain[0], address, chain, 1, 0);
    for (size_t i = 0; i < n; i++) {
        struct dwarf_frame *f = &frames[i];
        Dwarf_Die *die = &chain[n - 1 - i];
        *f = (struct dwarf_frame){.dir = dir};
        if (i == 0)
            fill_line(&lines, address, f);
        else
            fill_call_site(&lines, &chain[n - i], f);
        f->name = d->names[i] = dwarf_function_name(die, &u->scopes, files);
        fill_function(die, files, f);
    }
    return n;
}
