#include "outside/blocked.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/peek.h"
#include "interp/merge.h"
#include "outside/modules.h"

/* Copied at once from the stack pointer on: most stacks are smaller. */
#define STACK_COPY 16384
#define PAGE 4096
#define REFRESH_NS INT64_C(1000000000)

#if defined(__x86_64__)
#define REGISTER_SP 7 /* DWARF's numbers: System V ABI, AMD64 supplement, figure 3.36 */
#define REGISTER_PC 16
#elif defined(__aarch64__)
#define REGISTER_SP 31 /* DWARF for the Arm 64-bit Architecture, 4.1 */
#endif

struct blocked {
    pid_t pid;
    Dwfl *dwfl;
    struct merge *merge; /* of an interpreter's frames */
    int64_t read_ns;     /* when the modules were read, CLOCK_MONOTONIC */

    /* The walk under way. */
    struct blocked_place place;
    unsigned char stack[STACK_COPY];
    size_t stack_size;
    uint64_t *frames;
    size_t depth;
    bool strays; /* a frame lies in no module */
};

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
    struct blocked *blocked = arg;
    (void)dwfl;
    if (*thread_arg)
        return 0;
    *thread_arg = blocked;
    return blocked->pid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
    (void)dwfl, (void)tid;
    *thread_arg = arg;
    return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *arg)
{
    struct blocked *blocked = arg;
    uint64_t offset = address - blocked->place.sp;
    (void)dwfl;
    if (blocked->stack_size >= sizeof *result && offset <= blocked->stack_size - sizeof *result) {
        memcpy(result, blocked->stack + offset, sizeof *result);
        return true;
    }
    return peek(blocked->pid, address, result, sizeof *result);
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
    struct blocked *blocked = arg;
    Dwarf_Word sp = blocked->place.sp, pc = blocked->place.pc;
    if (!dwfl_thread_state_registers(thread, REGISTER_SP, 1, &sp))
        return false;
#ifdef REGISTER_PC
    if (!dwfl_thread_state_registers(thread, REGISTER_PC, 1, &pc))
        return false;
#endif
    dwfl_thread_state_register_pc(thread, pc);
    return true;
}

static bool read_modules(struct blocked *blocked, struct error *err)
{
    static char *debug_path;
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_linux_proc_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .debuginfo_path = &debug_path,
    };
    static const Dwfl_Thread_Callbacks threads = {
        .next_thread = next_thread,
        .get_thread = get_thread,
        .memory_read = read_memory,
        .set_initial_registers = set_registers,
    };
    dwfl_end(blocked->dwfl);
    blocked->read_ns = clock_monotonic();
    blocked->dwfl = dwfl_begin(&callbacks);
    int error = blocked->dwfl ? dwfl_linux_proc_report(blocked->dwfl, blocked->pid) : -1;
    if (error == 0 && dwfl_report_end(blocked->dwfl, NULL, NULL) == 0 &&
        dwfl_attach_state(blocked->dwfl, NULL, blocked->pid, &threads, blocked))
        return true;
    return fail_with(err, "cannot read the modules of process %d: %s", (int)blocked->pid,
                     error > 0 ? strerror(error) : dwfl_errmsg(-1));
}

struct blocked *blocked_open(pid_t pid, struct error *err)
{
    struct blocked *blocked = mem_zero(1, sizeof *blocked);
    blocked->pid = pid;
    if (read_modules(blocked, err)) {
        blocked->merge = merge_new(python_open(pid, blocked->dwfl));
        return blocked;
    }
    blocked_close(blocked);
    return NULL;
}

void blocked_close(struct blocked *blocked)
{
    if (!blocked)
        return;
    dwfl_end(blocked->dwfl);
    merge_free(blocked->merge);
    free(blocked);
}

bool blocked_place(pid_t pid, pid_t tid, struct blocked_place *place)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = size < 0 && (error == EPERM || error == EACCES) ? error : 0;
    if (size <= 0)
        return false;
    text[size] = '\0';
    memset(place, 0, sizeof *place);
    char *at;
    place->number = strtol(text, &at, 10);
    if (at == text) /* "running" */
        return false;
    for (int n = 0; place->number >= 0 && n < 6; n++)
        place->arguments[n] = strtoull(at, &at, 16);
    place->sp = strtoull(at, &at, 16);
    place->pc = strtoull(at, &at, 16);
    return place->sp && place->pc;
}

static int add_frame(Dwfl_Frame *frame, void *arg)
{
    struct blocked *blocked = arg;
    Dwarf_Addr pc;
    bool activation;
    if (blocked->depth == BLOCKED_FRAMES || !dwfl_frame_pc(frame, &pc, &activation) || pc == 0)
        return DWARF_CB_ABORT;
    uint64_t address = activation ? pc : pc - 1;
    blocked->strays |= !dwfl_addrmodule(blocked->dwfl, address);
    blocked->frames[blocked->depth++] = address;
    return DWARF_CB_OK;
}

/* As much as can be read at once: a stack may end before. */
static void copy_stack(struct blocked *blocked)
{
    uint64_t sp = blocked->place.sp;
    size_t size = sizeof blocked->stack;
    while (size && !peek(blocked->pid, sp, blocked->stack, size))
        size = size > PAGE ? size - PAGE : 0;
    blocked->stack_size = size;
}

size_t blocked_stack(struct blocked *blocked, pid_t tid, const struct blocked_place *place,
                     uint64_t frames[BLOCKED_FRAMES], bool *complete)
{
    struct error ignored;
    blocked->place = *place;
    blocked->frames = frames;
    for (bool again = true;; again = false) {
        copy_stack(blocked);
        blocked->depth = 0;
        blocked->strays = false;
        *complete = blocked->dwfl &&
                    dwfl_getthread_frames(blocked->dwfl, blocked->pid, add_frame, blocked) == 0;
        if (!again || !blocked->strays || clock_monotonic() - blocked->read_ns < REFRESH_NS ||
            !read_modules(blocked, &ignored))
            break;
    }
    if (blocked->depth == 0) /* the place itself is known at least */
        frames[blocked->depth++] = place->pc;
    return merge_python(blocked->merge, tid, frames, blocked->depth, BLOCKED_FRAMES);
}

size_t blocked_running(struct blocked *blocked, pid_t tid, uint64_t frames[BLOCKED_FRAMES])
{
    return merge_python(blocked->merge, tid, frames, 0, BLOCKED_FRAMES);
}

struct profile_location *blocked_location(struct blocked *blocked, struct profile *p,
                                          uint64_t frame)
{
    struct profile_location *location = merge_location(blocked->merge, p, frame);
    return location ? location : modules_location(p, frame);
}

const char *blocked_function(struct blocked *blocked, uint64_t address)
{
    Dwfl_Module *module = blocked->dwfl ? dwfl_addrmodule(blocked->dwfl, address) : NULL;
    return module ? dwfl_module_addrname(module, address) : NULL;
}

void blocked_add_modules(struct blocked *blocked, struct profile *p)
{
    if (blocked->dwfl)
        modules_add(p, blocked->dwfl);
}
