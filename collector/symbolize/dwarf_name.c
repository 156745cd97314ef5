#include "symbolize/dwarf_name.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SCOPES_MAX 32 /* as deep as names are put together */

void dwarf_scopes_add(struct dwarf_scopes *scopes, Dwarf_Off die, Dwarf_Off parent)
{
    scopes->list = mem_grow(scopes->list, scopes->n, &scopes->cap, sizeof *scopes->list);
    scopes->list[scopes->n++] = (struct dwarf_scope){die, parent};
}

static const struct dwarf_scope *find_scope(const struct dwarf_scopes *scopes, Dwarf_Off die)
{
    size_t low = 0, high = scopes->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (scopes->list[middle].die < die)
            low = middle + 1;
        else
            high = middle;
    }
    return low < scopes->n && scopes->list[low].die == die ? &scopes->list[low] : NULL;
}

const char *dwarf_string(Dwarf_Die *die, unsigned attribute)
{
    Dwarf_Attribute found;
    return dwarf_formstring(dwarf_attr_integrate(die, attribute, &found));
}

bool dwarf_name_is_mangled(const char *name)
{
    return name[0] == '_' && name[1] && strchr("ZRD_", name[1]) && strncmp(name, "__GI_", 5) != 0;
}

/* The linkage name where it is mangled: it says more than the plain one. Where it is
 * not, it is an internal alias (glibc's __GI_setlocale) that nobody looks for. */
static const char *linkage_name(Dwarf_Die *die)
{
    const char *linkage = dwarf_string(die, DW_AT_linkage_name);
    if (!linkage)
        linkage = dwarf_string(die, DW_AT_MIPS_linkage_name);
    return linkage;
}

/* From a body, in line or not, to the declaration: that one lies in its class. */
static bool declaration(Dwarf_Die *die, Dwarf_Die *result)
{
    Dwarf_Attribute attribute;
    *result = *die;
    for (int n = 0; n < 4; n++)
        if (!dwarf_formref_die(dwarf_attr(result, DW_AT_abstract_origin, &attribute), result) &&
            !dwarf_formref_die(dwarf_attr(result, DW_AT_specification, &attribute), result))
            return true;
    return true;
}

/* Does the unit's language put functions into scopes? (DWARF 5, 7.12) */
static bool has_scopes(Dwarf_Die *die)
{
    Dwarf_Die unit;
    if (!dwarf_diecu(die, &unit, NULL, NULL))
        return false;
    switch (dwarf_srclang(&unit)) {
    case -1:
    case DW_LANG_C:
    case DW_LANG_C89:
    case DW_LANG_C99:
    case DW_LANG_C11:
    case DW_LANG_Mips_Assembler:
    case DW_LANG_Go: /* its names hold the package already */
        return false;
    default:
        return true;
    }
}

/* libdw 0.188 asserts in dwarf_decl_file() that the file table of a split unit has been read, but
 * reads the line table only: the table is asked for here. */
const char *dwarf_declared_file(Dwarf_Die *die, Dwarf_Die *lines)
{
    Dwarf_Attribute attribute;
    Dwarf_Die unit;
    Dwarf_Files *files;
    size_t n;
    Dwarf_Word index;
    if (dwarf_formudata(dwarf_attr_integrate(die, DW_AT_decl_file, &attribute), &index) != 0 ||
        !dwarf_cu_die(attribute.cu, &unit, NULL, NULL, NULL, NULL, NULL, NULL) ||
        dwarf_getsrcfiles(lines ? lines : &unit, &files, &n) != 0 || index >= n)
        return NULL;
    return dwarf_filesrc(files, index, NULL, NULL);
}

/* A closure's type: gcc calls it <lambda(...)>, clang leaves it without a name. */
static char *closure_name(Dwarf_Die *scope, Dwarf_Die *lines)
{
    const char *file = dwarf_declared_file(scope, lines);
    const char *slash = file ? strrchr(file, '/') : NULL;
    int line, column;
    if (!file || dwarf_decl_line(scope, &line) != 0)
        return mem_strdup("{lambda}");
    if (dwarf_decl_column(scope, &column) != 0)
        column = 0;
    return mem_printf("{lambda at %s:%d:%d}", slash ? slash + 1 : file, line, column);
}

/* malloc'ed; NULL: this scope is not part of a name. */
static char *scope_name(Dwarf_Die *scope, Dwarf_Die *lines, bool of_call_operator)
{
    const char *name = dwarf_string(scope, DW_AT_name);
    switch (dwarf_tag(scope)) {
    case DW_TAG_namespace:
        return mem_strdup(name ? name : "(anonymous namespace)");
    case DW_TAG_module:
    case DW_TAG_subprogram:
        return name ? mem_strdup(name) : NULL;
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_interface_type:
        if (name ? strncmp(name, "<lambda", 7) == 0 : of_call_operator)
            return closure_name(scope, lines);
        return mem_strdup(name ? name : "{unnamed}");
    default:
        return NULL;
    }
}

static char *prepend(char *scope, char *name)
{
    char *longer = mem_printf("%s::%s", scope, name);
    free(scope);
    free(name);
    return longer;
}

char *dwarf_function_name(Dwarf_Die *die, const struct dwarf_scopes *scopes, Dwarf_Die *lines)
{
    Dwarf_Die at;
    const char *linkage = linkage_name(die);
    if (linkage && dwarf_name_is_mangled(linkage))
        return mem_strdup(linkage);
    const char *plain = dwarf_string(die, DW_AT_name);
    if (!plain)
        return linkage ? mem_strdup(linkage) : NULL;
    char *name = mem_strdup(plain);
    if (!declaration(die, &at) || !has_scopes(&at))
        return name;
    bool is_call = strcmp(plain, "operator()") == 0;
    Dwarf *dwarf = dwarf_cu_getdwarf(at.cu);
    const struct dwarf_scope *scope = find_scope(scopes, dwarf_dieoffset(&at));
    for (int n = 0; n < SCOPES_MAX && scope && scope->parent; n++) {
        Dwarf_Die parent;
        Dwarf_Off offset = scope->parent;
        if (!dwarf_offdie(dwarf, offset, &parent))
            break;
        char *text = scope_name(&parent, lines, is_call);
        is_call = false;
        if (text)
            name = prepend(text, name);
        /* a member's body, outside its class, or a concrete function around a local class */
        if (dwarf_tag(&parent) == DW_TAG_subprogram && declaration(&parent, &parent))
            offset = dwarf_dieoffset(&parent);
        scope = find_scope(scopes, offset);
    }
    return name;
}
