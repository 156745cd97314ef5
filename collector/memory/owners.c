#include "memory/owners.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/layout.h"

/* glibc's arenas of threads: mappings that begin at multiples of this (HEAP_MAX_SIZE,
 * malloc/arena.c: twice the largest mmap threshold). */
#define ARENA_ALIGN (UINT64_C(64) << 20)
#define GUARD_MOST (UINT64_C(1) << 20) /* of a thread's stack, bytes */

/* Allocators that serve malloc when their library is there, and runtimes with heaps of their own:
 * then anonymous memory that nothing else tells is theirs. */
static const struct known {
    const char *file; /* how the base name begins */
    const char *owner;
    enum owner_kind kind;
} known[] = {
    {"libjemalloc", "jemalloc", OWNER_MALLOC},
    {"libtcmalloc", "tcmalloc", OWNER_MALLOC},
    {"libmimalloc", "mimalloc", OWNER_MALLOC},
    {"libjvm.so", "Java's heap, code cache and metaspace", OWNER_RUNTIME},
    {"libnode", "V8's heap and code", OWNER_RUNTIME},
    {"node", "V8's heap and code", OWNER_RUNTIME},
    {"chrom", "V8's and PartitionAlloc's heaps", OWNER_RUNTIME},
    {"libpython", "Python's object arenas", OWNER_RUNTIME},
    {"python", "Python's object arenas", OWNER_RUNTIME},
    {"libruby", "Ruby's heap", OWNER_RUNTIME},
    {"libmonosgen", "Mono's heap", OWNER_RUNTIME},
    {"libcoreclr", ".NET's heap", OWNER_RUNTIME},
    {"libphp", "PHP's heap", OWNER_RUNTIME},
    {"php", "PHP's heap", OWNER_RUNTIME},
    {"beam", "Erlang's heaps", OWNER_RUNTIME},
    {"sbcl", "Lisp's heap", OWNER_RUNTIME},
    {"libmozjs", "SpiderMonkey's heap", OWNER_RUNTIME},
    {"libxul", "Firefox's heaps", OWNER_RUNTIME},
};

/* What is known of the whole process. */
struct surroundings {
    const struct known *allocator, *runtime; /* NULL: none was met */
    uint64_t *stacks;                        /* stack pointers of its threads */
    size_t n_stacks, cap;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void look_around(pid_t pid, const struct regions *regions, struct surroundings *around)
{
    char path[64];
    for (size_t n = 0; n < regions->n; n++)
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (regions->list[n].name[0] == '/' &&
                begins(base_name(regions->list[n].name), known[i].file)) {
                if (known[i].kind == OWNER_MALLOC && !around->allocator)
                    around->allocator = &known[i];
                else if (known[i].kind == OWNER_RUNTIME && !around->runtime)
                    around->runtime = &known[i];
            }
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        char file[96], text[256];
        snprintf(file, sizeof file, "/proc/%d/task/%.16s/syscall", (int)pid, entry->d_name);
        FILE *in = entry->d_name[0] == '.' ? NULL : fopen(file, "re");
        if (!in)
            continue;
        /* of one that waits: the stack pointer is the last word but one */
        char *last = fgets(text, sizeof text, in) ? strrchr(text, ' ') : NULL;
        fclose(in);
        if (!last)
            continue;
        *last = '\0';
        char *sp = strrchr(text, ' ');
        around->stacks = mem_grow(around->stacks, around->n_stacks, &around->cap, sizeof(uint64_t));
        around->stacks[around->n_stacks++] = sp ? strtoull(sp + 1, NULL, 16) : 0;
    }
    if (tasks)
        closedir(tasks);
}

/* A thread's: one of them stands in it, or it lies above a guard as pthread_create(3) makes it. */
static bool is_stack(const struct regions *regions, size_t n, const struct surroundings *around)
{
    const struct region *region = &regions->list[n], *before = n ? &regions->list[n - 1] : NULL;
    for (size_t i = 0; i < around->n_stacks; i++)
        if (around->stacks[i] >= region->start && around->stacks[i] < region->limit)
            return true;
    return before && before->limit == region->start && begins(before->permissions, "---p") &&
           !before->has_inode && before->limit - before->start <= GUARD_MOST &&
           begins(region->permissions, "rw-p") && region->start % ARENA_ALIGN != 0;
}

static bool is_arena(const struct regions *regions, size_t n)
{
    const struct region *region = &regions->list[n];
    const struct region *after = n + 1 < regions->n ? &regions->list[n + 1] : NULL;
    return region->start % ARENA_ALIGN == 0 && begins(region->permissions, "rw-p") &&
           region->limit - region->start <= ARENA_ALIGN &&
           (region->limit - region->start == ARENA_ALIGN ||
            (after && after->start == region->limit && begins(after->permissions, "---p")));
}

static enum owner_kind owner_of_anonymous(const struct regions *regions, size_t n,
                                          const struct surroundings *around, const char **name)
{
    *name = NULL;
    if (is_stack(regions, n, around))
        return OWNER_STACKS;
    if (!around->allocator && is_arena(regions, n)) {
        *name = "malloc (glibc), arenas of threads";
        return OWNER_MALLOC;
    }
    const struct region *before = n ? &regions->list[n - 1] : NULL;
    if (before && before->limit == regions->list[n].start && before->has_inode &&
        begins(before->permissions, "rw-p"))
        return OWNER_DATA; /* the rest of .bss */
    if (around->allocator || around->runtime) {
        const struct known *own = around->runtime ? around->runtime : around->allocator;
        *name = own->owner;
        return own->kind;
    }
    return OWNER_UNKNOWN;
}

static enum owner_kind owner_of(const struct regions *regions, size_t n,
                                const struct surroundings *around, const char **name)
{
    const struct region *region = &regions->list[n];
    const char *path = region->name;
    *name = NULL;
    if (strcmp(path, "[heap]") == 0) {
        *name = around->allocator ? "malloc, by brk" : "malloc (glibc), main heap";
        return OWNER_MALLOC;
    }
    if (begins(path, "[stack"))
        return OWNER_STACKS;
    if (begins(path, "[anon:") || begins(path, "[anon_shmem:")) {
        *name = path;
        return OWNER_NAMED;
    }
    if (path[0] == '[')
        return OWNER_KERNEL;
    if (strstr(path, "memfd:" LEDGER_NAME))
        return OWNER_LIBPROF;
    if (!region->has_inode)
        return owner_of_anonymous(regions, n, around, name);
    if (region->permissions[3] == 's' || begins(path, "/SYSV") || begins(path, "/dev/shm/") ||
        begins(path, "/memfd:") || begins(path, "/dev/zero"))
        return begins(path, "/memfd:") || begins(path, "/dev/") || begins(path, "/SYSV")
                   ? OWNER_SHARED
                   : OWNER_FILES;
    if (strstr(base_name(path), "libprof.so"))
        return OWNER_LIBPROF;
    if (region->permissions[1] == 'w')
        return OWNER_DATA;
    return OWNER_CODE;
}

static const char *kind_name(enum owner_kind kind)
{
    static const char *const names[] = {
        [OWNER_MALLOC] = "malloc",
        [OWNER_RUNTIME] = "a runtime's heap",
        [OWNER_STACKS] = "stacks of threads",
        [OWNER_DATA] = "data of the program and its libraries",
        [OWNER_CODE] = "code and constants of the program and its libraries",
        [OWNER_FILES] = "files that are mapped",
        [OWNER_SHARED] = "shared memory",
        [OWNER_NAMED] = "named anonymous memory",
        [OWNER_LIBPROF] = "libprof",
        [OWNER_KERNEL] = "the kernel's vdso",
        [OWNER_UNKNOWN] = "anonymous memory, owner unknown",
    };
    return names[kind];
}

static void add(struct owners *owners, enum owner_kind kind, const char *name,
                const struct region *region)
{
    size_t n = 0;
    while (n < owners->n &&
           (owners->list[n].kind != kind || strcmp(owners->list[n].name, name) != 0))
        n++;
    if (n == owners->n) {
        owners->list = mem_grow(owners->list, owners->n, &owners->cap, sizeof *owners->list);
        owners->list[owners->n++] = (struct owner){.kind = kind, .name = mem_strdup(name)};
    }
    owners->list[n].resident += region->resident;
    owners->list[n].swapped += region->swapped;
    owners->list[n].mappings++;
}

static int compare_owners(const void *a, const void *b)
{
    const struct owner *x = a, *y = b;
    if ((x->kind == OWNER_UNKNOWN) != (y->kind == OWNER_UNKNOWN))
        return x->kind == OWNER_UNKNOWN ? 1 : -1;
    return (x->resident < y->resident) - (x->resident > y->resident);
}

void owners_find(pid_t pid, const struct regions *regions, struct owners *owners,
                 enum owner_kind **kinds)
{
    struct surroundings around = {0};
    look_around(pid, regions, &around);
    *owners = (struct owners){.allocator = around.allocator ? around.allocator->owner : "glibc"};
    *kinds = mem_zero(regions->n + 1, sizeof **kinds);
    for (size_t n = 0; n < regions->n; n++) {
        const char *name;
        enum owner_kind kind = owner_of(regions, n, &around, &name);
        (*kinds)[n] = kind;
        add(owners, kind, name ? name : kind_name(kind), &regions->list[n]);
    }
    if (owners->n)
        qsort(owners->list, owners->n, sizeof *owners->list, compare_owners);
    free(around.stacks);
}

void owners_free(struct owners *owners)
{
    for (size_t n = 0; n < owners->n; n++)
        free(owners->list[n].name);
    free(owners->list);
    *owners = (struct owners){0};
}
