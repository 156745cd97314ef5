#include "attach/unsafe_code.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* What a function of the C library's assembler without a size is taken to have, bytes. */
#define UNKNOWN_SIZE 64

/* Objects in which every frame counts: the loader, and allocators as libraries. */
static const char *const loaders[] = {"ld-linux", "ld-2.", "ld.so"};
static const char *const allocators[] = {"libjemalloc.so", "libtcmalloc", "libmimalloc.so"};

/* Functions that hold, or may hold, a lock which loading a library needs. In the order of
 * strcmp. */
static const char *const unsafe_functions[] = {
    "_Fork",
    "__cxa_atexit",
    "__cxa_finalize",
    "__fork",
    "__libc_calloc",
    "__libc_dlclose",
    "__libc_dlopen_mode",
    "__libc_dlsym",
    "__libc_fork",
    "__libc_free",
    "__libc_malloc",
    "__libc_memalign",
    "__libc_realloc",
    "__register_atfork",
    "__vfork",
    "_exit",
    "_rjem_malloc", /* of allocators inside the program */
    "_rjem_sdallocx",
    "abort",
    "aligned_alloc",
    "calloc",
    "cfree",
    "dl_iterate_phdr",
    "dladdr",
    "dlclose",
    "dlmopen",
    "dlopen",
    "dlsym",
    "dlvsym",
    "exit",
    "fork",
    "free",
    "je_free",
    "je_malloc",
    "mallinfo",
    "mallinfo2",
    "malloc",
    "malloc_info",
    "malloc_stats",
    "malloc_trim",
    "malloc_usable_size",
    "mallopt",
    "memalign",
    "mi_free",
    "mi_malloc",
    "posix_memalign",
    "posix_spawn",
    "posix_spawnp",
    "pthread_create",
    "pthread_exit",
    "pvalloc",
    "quick_exit",
    "realloc",
    "reallocarray",
    "tc_free",
    "tc_malloc",
    "valloc",
    "vfork",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool begins_with_one(const char *name, const char *const *prefixes, size_t count)
{
    for (size_t n = 0; n < count; n++)
        if (strncmp(name, prefixes[n], strlen(prefixes[n])) == 0)
            return true;
    return false;
}

static int compare_name(const void *key, const void *element)
{
    return strcmp(key, *(const char *const *)element);
}

static int compare_start(const void *a, const void *b)
{
    const struct unsafe_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static void read_object(struct unsafe_code *code, Dwfl_Module *module)
{
    Dwarf_Addr start, limit;
    const char *path = dwfl_module_info(module, NULL, &start, &limit, NULL, NULL, NULL, NULL);
    const char *slash = path ? strrchr(path, '/') : NULL;
    bool is_loader = slash && begins_with_one(slash + 1, loaders, COUNT(loaders));
    if (!is_loader && !(slash && begins_with_one(slash + 1, allocators, COUNT(allocators))))
        return;
    code->objects =
        mem_grow(code->objects, code->n_objects, &code->objects_cap, sizeof *code->objects);
    code->objects[code->n_objects++] =
        (struct unsafe_range){start, limit, is_loader ? "the loader" : NULL};
}

static int read_module(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                       void *arg)
{
    struct unsafe_code *code = arg;
    int count = dwfl_module_getsymtab(module);
    (void)user, (void)name, (void)base;
    read_object(code, module);
    for (int n = 1; n < count; n++) {
        GElf_Sym symbol;
        GElf_Addr address;
        const char *found = dwfl_module_getsym_info(module, n, &symbol, &address, NULL, NULL, NULL);
        if (!found || GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF)
            continue;
        const char *const *what = bsearch(found, unsafe_functions, COUNT(unsafe_functions),
                                          sizeof *unsafe_functions, compare_name);
        if (!what)
            continue;
        code->functions = mem_grow(code->functions, code->n_functions, &code->functions_cap,
                                   sizeof *code->functions);
        code->functions[code->n_functions++] = (struct unsafe_range){
            address, address + (symbol.st_size ? symbol.st_size : UNKNOWN_SIZE), *what};
    }
    return DWARF_CB_OK;
}

void unsafe_code_read(struct unsafe_code *code, Dwfl *dwfl)
{
    code->n_functions = code->n_objects = 0;
    dwfl_getmodules(dwfl, read_module, code, 0);
    if (code->n_functions)
        qsort(code->functions, code->n_functions, sizeof *code->functions, compare_start);
}

void unsafe_code_free(struct unsafe_code *code)
{
    free(code->functions);
    free(code->objects);
    *code = (struct unsafe_code){0};
}

const char *unsafe_code_find(const struct unsafe_code *code, uint64_t address, bool *in_allocator)
{
    for (size_t n = 0; n < code->n_objects; n++) {
        const struct unsafe_range *object = &code->objects[n];
        if (address < object->start || address >= object->limit)
            continue;
        if (object->what)
            return object->what;
        *in_allocator = true;
    }
    size_t low = 0, high = code->n_functions;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code->functions[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    /* aliases begin together, and functions do not overlap otherwise */
    for (size_t n = low; n-- && code->functions[n].start == code->functions[low - 1].start;)
        if (address < code->functions[n].limit)
            return code->functions[n].what;
    return NULL;
}
