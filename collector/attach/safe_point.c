#include "attach/safe_point.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach/arch.h"
#include "attach/remote.h"
#include "attach/unsafe_code.h"
#include "base/clock.h"
#include "base/mem.h"
#include "wire/attach_order.h"

#define MAX_FRAMES 256

struct safe_point {
    pid_t pid;
    Dwfl *dwfl;
    bool attached;
    struct unsafe_code unsafe;
    uint64_t start, limit; /* of the injected library; 0 = there is none */
};

/* What a walk finds out about a thread. */
struct look {
    const char *inside; /* what it is inside of, which makes the moment unsafe; NULL = nothing */
    int frames;
    bool complete;
    int allocator; /* the last frame that lay in an allocator's library, counted from 1 */
    const struct safe_point *safe;
    bool whole;   /* the walk goes on below what makes the moment unsafe */
    bool uses;    /* a frame lies in the injected library */
    bool is_leaf; /* the innermost one */
};

/* How long threads that are inside of something may run on. */
#define RUN_ON_NS INT64_C(50000000)

/* The threads that are inside of something, and the best of the others. */
struct inside {
    pid_t *threads;
    size_t n, cap;
    size_t seen; /* threads of the tracee that have been looked at */
    pid_t best;
    int best_rank;
    const char *why;
};

/* What calls a thread's start routine: start_thread and clone3 in the C library. */
#define THREAD_START_FRAMES 2

static int find_no_debuginfo(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                             const char *file, const char *link, GElf_Word checksum, char **found)
{
    (void)module, (void)user, (void)name, (void)base;
    (void)file, (void)link, (void)checksum, (void)found;
    return -1;
}

/* libdwfl hands its callbacks nothing that leads to the process. */
static _Thread_local pid_t reported;

/* The file as the target sees it, in its own root; else as we do, else the image in memory. */
static int find_elf(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                    char **file, Elf **elf)
{
    if (name && strncmp(name, ATTACH_LIBRARY_PATH, strlen(ATTACH_LIBRARY_PATH)) == 0) {
        *file = mem_strdup(name);
        return remote_copy(reported, base);
    }
    if (name && *name == '/') {
        char *path = mem_printf("/proc/%d/root%s", (int)reported, name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            *file = path;
            return fd;
        }
        free(path);
    }
    return dwfl_linux_proc_find_elf(module, user, name, base, file, elf);
}

/* Reads what a walk needs of a module, so that it isn't read while the process stands still. */
static int read_tables(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                       void *arg)
{
    GElf_Addr bias;
    (void)user, (void)name, (void)base, (void)arg;
    dwfl_module_eh_cfi(module, &bias);
    return DWARF_CB_OK;
}

bool safe_point_refresh(struct safe_point *safe, struct error *err)
{
    static char *debug_path;
    static const Dwfl_Callbacks callbacks = {
        .find_elf = find_elf,
        .find_debuginfo = find_no_debuginfo,
        .debuginfo_path = &debug_path,
    };
    dwfl_end(safe->dwfl);
    safe->attached = false;
    reported = safe->pid;
    safe->dwfl = dwfl_begin(&callbacks);
    int error = safe->dwfl ? dwfl_linux_proc_report(safe->dwfl, safe->pid) : -1;
    if (error == 0 && dwfl_report_end(safe->dwfl, NULL, NULL) == 0) {
        dwfl_getmodules(safe->dwfl, read_tables, NULL, 0);
        unsafe_code_read(&safe->unsafe, safe->dwfl);
        return true;
    }
    return fail_with(err, "cannot read the modules of process %d: %s", (int)safe->pid,
                     error > 0 ? strerror(error) : dwfl_errmsg(-1));
}

struct safe_point *safe_point_new(pid_t pid, struct error *err)
{
    struct safe_point *safe = mem_zero(1, sizeof *safe);
    safe->pid = pid;
    if (safe_point_refresh(safe, err))
        return safe;
    safe_point_free(safe);
    return NULL;
}

void safe_point_free(struct safe_point *safe)
{
    if (!safe)
        return;
    dwfl_end(safe->dwfl);
    unsafe_code_free(&safe->unsafe);
    free(safe);
}

static int look_at_frame(Dwfl_Frame *frame, void *arg)
{
    struct look *look = arg;
    Dwarf_Addr pc;
    bool activation;
    if (!dwfl_frame_pc(frame, &pc, &activation) || look->frames == MAX_FRAMES)
        return DWARF_CB_ABORT;
    look->frames++;
    if (pc >= look->safe->start && pc < look->safe->limit) {
        look->uses = true;
        look->is_leaf |= look->frames == 1;
    }
    bool in_allocator = false;
    const char *inside =
        unsafe_code_find(&look->safe->unsafe, activation ? pc : pc - 1, &in_allocator);
    if (in_allocator)
        look->allocator = look->frames;
    if (inside && !look->inside)
        look->inside = inside;
    return look->inside && !look->whole ? DWARF_CB_ABORT : DWARF_CB_OK;
}

/* Does it wait in a system call, so that it holds no lock of its own spinning kind? */
static bool is_in_syscall(pid_t tid)
{
    struct arch_call call;
    return arch_get_syscall(tid, &call) && call.number >= 0;
}

static bool attach(struct safe_point *safe)
{
    if (!safe->attached)
        safe->attached = dwfl_linux_proc_attach(safe->dwfl, safe->pid, true) == 0;
    return safe->attached;
}

/*
 * An allocator's library has functions without names, and names are not left on the stack
 * by tail calls: a frame in it is enough. Its own threads (jemalloc's for purging) are
 * there always; they are outside while they wait.
 */
static void look_at(struct safe_point *safe, pid_t tid, struct look *look)
{
    look->safe = safe;
    look->complete = dwfl_getthread_frames(safe->dwfl, tid, look_at_frame, look) == 0;
    bool own_thread = look->complete && look->frames - look->allocator <= THREAD_START_FRAMES;
    if (look->allocator && !look->inside && !(own_thread && is_in_syscall(tid)))
        look->inside = "an allocator";
    if (!look->inside && (look->is_leaf || (look->uses && !is_in_syscall(tid))))
        look->inside = "libprof";
}

void safe_point_avoid(struct safe_point *safe, uint64_t start, uint64_t limit)
{
    safe->start = start;
    safe->limit = limit;
}

/* Looks at the threads from *first on that are in `inside`, or at all of them, and keeps there
 * those that are inside of something. */
static void look_at_all(struct safe_point *safe, const struct tracee *tracee, struct inside *inside)
{
    size_t kept = 0;
    for (; inside->seen < tracee->count; inside->seen++) {
        inside->threads =
            mem_grow(inside->threads, inside->n, &inside->cap, sizeof *inside->threads);
        inside->threads[inside->n++] = tracee->threads[inside->seen];
    }
    for (size_t n = 0; n < inside->n; n++) {
        pid_t tid = inside->threads[n];
        struct look look = {0};
        look_at(safe, tid, &look);
        if (look.inside) {
            inside->why = look.inside;
            inside->threads[kept++] = tid;
            continue;
        }
        int rank = 2 * is_in_syscall(tid) + look.complete;
        if (rank > inside->best_rank) {
            inside->best_rank = rank;
            inside->best = tid;
        }
    }
    inside->n = kept;
}

/* Lets those that are inside of something run for a moment, each time a different one, so that
 * no rhythm of theirs is met again and again. */
static bool run_on(struct tracee *tracee, struct inside *inside, unsigned round)
{
    struct timespec moment = {0, 5000 + (long)(round * UINT32_C(2654435761) % 100000)};
    size_t kept = 0;
    for (size_t n = 0; n < inside->n; n++)
        tracee_resume(inside->threads[n]);
    nanosleep(&moment, NULL);
    for (size_t n = 0; n < inside->n; n++)
        if (tracee_pause(inside->threads[n]))
            inside->threads[kept++] = inside->threads[n];
        else
            tracee_forget(tracee, inside->threads[n]);
    inside->seen -= inside->n - kept;
    inside->n = kept;
    return tracee_stop_new(tracee);
}

pid_t safe_point_find(struct safe_point *safe, struct tracee *tracee, const char **why)
{
    struct inside inside = {.best_rank = -1, .why = "its stacks cannot be read"};
    int64_t deadline = clock_monotonic() + RUN_ON_NS;
    bool good = attach(safe);
    for (unsigned round = 0; good; round++) {
        look_at_all(safe, tracee, &inside);
        if (inside.n == 0)
            break;
        good = clock_monotonic() < deadline && run_on(tracee, &inside, round);
    }
    free(inside.threads);
    *why = inside.why;
    return good ? inside.best : 0;
}

bool safe_point_uses(struct safe_point *safe, const struct tracee *tracee)
{
    if (!attach(safe))
        return true;
    for (size_t n = 0; n < tracee->count; n++) {
        struct look look = {.whole = true};
        look_at(safe, tracee->threads[n], &look);
        if (look.uses || !look.complete)
            return true;
    }
    return false;
}
