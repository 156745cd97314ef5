#include "serve/other_allocators.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>

#include "base/mem.h"
#include "serve/resident.h"
#include "symbolize/allocator.h"
#include "wire/comments.h"

/* Files asked once: thousands of processes of a build run the same few programs, and
 * each waits for its last profile. */
struct known {
    char *path;
    struct timespec changed;
    const struct allocator *found;
    UT_hash_handle hh;
};

/* More files than a system has programs and libraries in use: then all is asked anew. */
#define KNOWN_MAX 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects all below */
static struct known *all_known;

static void forget_all(void)
{
    struct known *known, *next;
    HASH_ITER(hh, all_known, known, next)
    {
        HASH_DEL(all_known, known);
        free(known->path);
        free(known);
    }
}

static const struct allocator *ask_file(const char *path, bool is_program)
{
    struct stat info;
    struct known *known;
    if (!*path || stat(path, &info) < 0 || !S_ISREG(info.st_mode))
        return NULL;
    pthread_mutex_lock(&lock);
    HASH_FIND_STR(all_known, path, known);
    if (!known) {
        if (HASH_COUNT(all_known) >= KNOWN_MAX)
            forget_all();
        known = mem_zero(1, sizeof *known);
        known->path = mem_strdup(path);
        HASH_ADD_KEYPTR(hh, all_known, known->path, strlen(known->path), known);
        known->changed.tv_nsec = -1;
    }
    if (memcmp(&known->changed, &info.st_mtim, sizeof info.st_mtim) != 0) {
        known->found = allocator_inside(path, is_program);
        known->changed = info.st_mtim;
    }
    const struct allocator *found = known->found;
    pthread_mutex_unlock(&lock);
    return found;
}

/* The program first; a library that carries one only matters besides. */
static const struct allocator *ask_files(struct process *process)
{
    const struct allocator *found = ask_file(process->exe, true);
    uint32_t modules = process->ledger.base ? ledger_view_modules(&process->ledger.view) : 0;
    for (uint32_t n = 1; n < modules && !found; n++) {
        struct ledger_module_view module;
        if (ledger_view_module(&process->ledger.view, n, &module) && !module.is_vdso &&
            !module.is_self && !module.is_main)
            found = ask_file(module.path, false);
    }
    return found;
}

const char *other_allocators_find(struct process *process, const struct dump_request *request)
{
    bool is_watched = process->ledger.base && process->ledger.view.header->linked_functions;
    const struct allocator *found = process->ledger.base && !is_watched ? ask_files(process) : NULL;
    bool told = found && (!found->beside_malloc || comments_heap_is_small(request, true));
    return told ? found->name : NULL;
}

const char *other_allocators_of_ended(struct process *process)
{
    uint64_t memory[LEDGER_MEMORY_KINDS];
    struct dump_request request = {.view = &process->ledger.view, .memory = memory};
    resident_get(process, false, memory);
    return other_allocators_find(process, &request);
}
