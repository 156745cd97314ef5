#include "attach/attach.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "attach/call.h"
#include "attach/image.h"
#include "attach/remote.h"
#include "attach/safe_point.h"
#include "attach/target.h"
#include "attach/tracee.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/peek.h"
#include "wire/attach_order.h"

#define MS INT64_C(1000000)

/* How long one thread alone may take to load the library. After that the others run too:
 * one of them may hold a lock that was not seen. Detaching takes no lock, and nothing else may
 * run meanwhile: a thread could make a timer that is not found any more. */
#define ALONE_NS (2000 * MS)
#define LOAD_NS (20000 * MS) /* each of its system calls is looked at: slow on a busy machine */
#define SIGNAL_NS (5000 * MS)

/* The functions of the target that are called, and what calls need. */
struct functions {
    uint64_t dlopen, dlclose, r_debug;
    struct arch_code code;
};

/* One attachment, or detachment, at work. */
struct work {
    pid_t pid;
    const struct attach_options *options;
    struct tracee tracee;
    struct safe_point *safe;
    struct functions functions;
    struct call call;
    pid_t thread;                               /* that makes the calls */
    int library_fd;                             /* the memfd, in the target */
    uint64_t inode;                             /* of the memfd */
    char path[sizeof ATTACH_LIBRARY_PATH + 32]; /* under which the loader asks for it */
    uint64_t order;                             /* where the library's order lies */
};

static bool find_functions(struct work *work, struct error *err)
{
    struct remote_maps maps;
    struct functions *f = &work->functions;
    if (!remote_maps_read(work->pid, &maps))
        return fail_with(err, "cannot read the mappings of process %d", (int)work->pid);
    const struct remote_mapping *libc = remote_maps_object(&maps, "libc.so.6");
    if (!libc)
        libc = remote_maps_object(&maps, "libc-2.");
    const struct remote_mapping *loader = remote_maps_object(&maps, "ld-");
    const struct remote_mapping *libdl = remote_maps_object(&maps, "libdl");
    if (libc) {
        f->dlopen = remote_symbol(work->pid, libc->start, "dlopen");
        f->dlclose = remote_symbol(work->pid, libc->start, "dlclose");
        remote_find_code(work->pid, &maps, libc, &f->code);
    }
    if (libdl && !f->dlopen) { /* before glibc 2.34 */
        f->dlopen = remote_symbol(work->pid, libdl->start, "dlopen");
        f->dlclose = remote_symbol(work->pid, libdl->start, "dlclose");
    }
    if (libc && !f->dlopen) {
        f->dlopen = remote_symbol(work->pid, libc->start, "__libc_dlopen_mode");
        f->dlclose = remote_symbol(work->pid, libc->start, "__libc_dlclose");
    }
    if (loader)
        f->r_debug = remote_symbol(work->pid, loader->start, "_r_debug");
    remote_maps_free(&maps);
    return (f->dlopen && f->dlclose && f->r_debug && f->code.syscall_return && f->code.restorer) ||
           fail_with(err, "process %d: dlopen was not found in its C library", (int)work->pid);
}

/* Stops the process again and again until the moment is right. */
static bool find_safe_point(struct work *work, unsigned timeout_ms, struct attach_result *result,
                            struct error *err)
{
    int64_t deadline = clock_monotonic() + timeout_ms * MS;
    struct timespec nap = {0, 500000};
    const char *why = NULL;
    for (;;) {
        result->attempts++;
        bool again;
        if (!tracee_stop(&work->tracee, &again, err)) {
            if (!again || clock_monotonic() > deadline)
                return false;
            continue;
        }
        work->thread = safe_point_find(work->safe, &work->tracee, &why);
        if (work->thread)
            return true;
        tracee_release(&work->tracee, 0);
        if (clock_monotonic() > deadline)
            return fail_with(
                err,
                "no safe moment within %u ms: a thread of process %d was always inside "
                "%s; nothing was changed",
                timeout_ms, (int)work->pid, why);
        nanosleep(&nap, NULL);
        if (nap.tv_nsec < 20000000)
            nap.tv_nsec += nap.tv_nsec / 2;
        if (!safe_point_refresh(work->safe, err))
            return false;
    }
}

/* Puts the library into a memfd of the target's. */
static bool place_library(struct work *work, const struct image *image, struct error *err)
{
    static const char name[] = "libprof.so";
    uint64_t at = call_store(&work->call, name, sizeof name);
    long fd =
        at ? call_syscall(&work->call, SYS_memfd_create, at, MFD_CLOEXEC, 0, 0, 0, 0) : -EFAULT;
    if (fd < 0)
        return fail_with(err, "process %d cannot make a memfd: %s", (int)work->pid,
                         strerror((int)-fd));
    work->library_fd = (int)fd;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)work->pid, (int)fd);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    size_t done = 0;
    while (file >= 0 && done < image->size) {
        ssize_t n = write(file, image->bytes + done, image->size - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    struct stat info;
    if (file >= 0 && fstat(file, &info) == 0)
        work->inode = info.st_ino;
    if (file >= 0)
        close(file);
    return done == image->size || fail_with(err, "cannot write the library into process %d: %s",
                                            (int)work->pid, strerror(errno));
}

static bool is_library_path(struct work *work, uint64_t address)
{
    char path[sizeof work->path];
    size_t length = strlen(work->path) + 1;
    return peek(work->pid, address, path, length) && memcmp(path, work->path, length) == 0;
}

static void fetch_ledger(struct work *work, int fd)
{
    char path[64];
    if (!work->options->take_ledger)
        return;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)work->pid, fd);
    int ledger = open(path, O_RDWR | O_CLOEXEC);
    if (ledger >= 0)
        work->options->take_ledger(work->options->arg, ledger);
}

/* The loader's openat becomes a dup of the memfd; so no file system is needed. */
static enum call_verdict watch_loading(void *arg, struct arch_call *call)
{
    struct work *work = arg;
    bool open_at = call->number == SYS_openat && is_library_path(work, call->arguments[1]);
#ifdef SYS_open
    open_at = open_at || (call->number == SYS_open && is_library_path(work, call->arguments[0]));
#endif
    if (open_at) {
        call->number = SYS_fcntl;
        call->arguments[0] = (uint64_t)work->library_fd;
        call->arguments[1] = F_DUPFD_CLOEXEC;
        call->arguments[2] = 0;
        return CALL_REPLACE;
    }
    if (call->number == SYS_getpriority && call->arguments[0] == ATTACH_FETCH_LEDGER)
        fetch_ledger(work, (int)call->arguments[1]);
    return CALL_PASS;
}

/* Makes a call with all other threads standing still, and after alone_ns, running. */
static bool make_call(struct work *work, uint64_t function, uint64_t a, uint64_t b,
                      call_watch watch, int64_t alone_ns, struct error *err)
{
    int64_t now = clock_monotonic();
    if (call_function(&work->call, function, a, b, watch, work, now + alone_ns))
        return true;
    if (work->call.running) {
        tracee_release(&work->tracee, work->thread);
        if (call_wait(&work->call, watch, work, now + LOAD_NS))
            return true;
    }
    return fail_with(err,
                     work->call.running ? "process %d does not finish loading the library"
                                        : "process %d ended",
                     (int)work->pid);
}

/* Which of the libraries that were injected: by its file, or else by its state. Some may have
 * stayed, inert. */
struct wanted {
    uint64_t inode; /* of the memfd; 0 = any */
    uint32_t state; /* enum attach_state; looked at for any file only */
    uint64_t image; /* 0 = any */
};

/* One that is disarmed is attached still. */
static bool same_state(uint32_t wanted, uint32_t state)
{
    return state == wanted || (wanted == ATTACH_ARMED && state == ATTACH_DISARMED);
}

static bool is_wanted(const struct wanted *wanted, const struct attach_order *order)
{
    return wanted->inode || (same_state(wanted->state, order->state) &&
                             (!wanted->image || order->image == wanted->image));
}

/* Finds it. Its mappings begin at *start. */
static bool find_library(pid_t pid, const struct wanted *wanted, uint64_t *start, uint64_t *limit,
                         uint64_t *order, struct attach_order *copy)
{
    struct remote_maps maps;
    bool found = false;
    if (!remote_maps_read(pid, &maps))
        return false;
    for (size_t n = 0; n < maps.count && !found; n++) {
        const struct remote_mapping *m = &maps.maps[n];
        size_t size = m->limit - m->start;
        if (strncmp(m->path, ATTACH_LIBRARY_PATH, strlen(ATTACH_LIBRARY_PATH)) != 0 ||
            m->permissions[1] != 'w' || (wanted->inode && m->inode != wanted->inode))
            continue;
        unsigned char *bytes = mem_alloc(size);
        if (peek(pid, m->start, bytes, size))
            for (size_t at = 0; at + sizeof *copy <= size && !found; at += 8) {
                memcpy(copy, bytes + at, sizeof *copy);
                found = attach_order_is(copy, size - at) && is_wanted(wanted, copy);
                *order = m->start + at;
            }
        free(bytes);
        *limit = m->limit;
        while (m > maps.maps && m->offset > 0)
            m--;
        *start = m->start;
    }
    remote_maps_free(&maps);
    return found;
}

/* What the library says of itself, once it has been armed. */
static bool take_answer(struct work *work, const struct attach_order *order,
                        struct attach_result *result, struct error *err)
{
    result->slots = order->slots;
    result->threads = order->threads;
    result->reported = order->reported;
    return order->state == ATTACH_ARMED ||
           fail_with(err, "process %d: %s", (int)work->pid,
                     order->reason[0] ? order->reason : "the library did not start");
}

static bool load(struct work *work, const struct image *image, struct attach_result *result,
                 struct error *err)
{
    struct attach_order order;
    uint64_t start, limit;
    if (!place_library(work, image, err))
        return false;
    struct wanted wanted = {.inode = work->inode};
    snprintf(work->path, sizeof work->path, "%s.%d.%llu", ATTACH_LIBRARY_PATH, (int)getpid(),
             (unsigned long long)clock_monotonic());
    uint64_t path = call_store(&work->call, work->path, strlen(work->path) + 1);
    if (!path)
        return fail_with(err, "process %d cannot be written to", (int)work->pid);
    if (!make_call(work, work->functions.dlopen, path, RTLD_NOW, watch_loading, ALONE_NS, err))
        return false;
    if (!find_library(work->pid, &wanted, &start, &limit, &work->order, &order))
        return fail_with(err, "the loader of process %d refused the library", (int)work->pid);
    if (take_answer(work, &order, result, err))
        return true;
    uint64_t handle = remote_handle(work->pid, work->functions.r_debug, start);
    struct error ignored;
    if (handle)
        make_call(work, work->functions.dlclose, handle, 0, NULL, ALONE_NS, &ignored);
    return false;
}

/* The same library has stayed from an earlier attachment: it gets the new order. */
static bool arm_again(struct work *work, const struct image *image, struct attach_result *result,
                      struct error *err)
{
    struct attach_order order;
    if (!remote_write(work->pid, work->order, &image->order,
                      offsetof(struct attach_order, state)) ||
        !peek(work->pid, work->order, &order, sizeof order))
        return fail_with(err, "process %d cannot be written to", (int)work->pid);
    return make_call(work, order.arm, 0, 0, watch_loading, ALONE_NS, err) &&
           peek(work->pid, work->order, &order, sizeof order) &&
           take_answer(work, &order, result, err);
}

static void work_end(struct work *work, struct attach_result *result)
{
    tracee_release(&work->tracee, 0);
    result->stopped_ns = work->tracee.stopped_ns;
    tracee_free(&work->tracee);
    safe_point_free(work->safe);
}

static bool check_not_attached(pid_t pid, struct error *err)
{
    struct wanted armed = {.state = ATTACH_ARMED};
    struct attach_order order;
    uint64_t start, limit, address;
    return !find_library(pid, &armed, &start, &limit, &address, &order) ||
           fail_with(err, "process %d is attached already: prof detach %d ends that", (int)pid,
                     (int)pid);
}

bool attach_process(pid_t pid, const struct attach_options *options, struct attach_result *result,
                    struct error *err)
{
    struct work work = {.pid = pid, .options = options, .tracee.pid = pid, .library_fd = -1};
    struct image image = {0};
    memset(result, 0, sizeof *result);
    bool good = target_check(pid, options->force, err) && check_not_attached(pid, err) &&
                image_read(&image, options->library, options->environment, err) &&
                find_functions(&work, err) && (work.safe = safe_point_new(pid, err));
    struct wanted stayed = {.state = ATTACH_DETACHED, .image = good ? image.order.image : 0};
    struct attach_order order;
    uint64_t start, limit;
    bool has_stayed = good && find_library(pid, &stayed, &start, &limit, &work.order, &order);
    if (has_stayed)
        safe_point_avoid(work.safe, start, limit);
    good = good && find_safe_point(&work, options->timeout_ms, result, err);
    if (good && call_begin(&work.call, pid, work.thread, &work.functions.code, err)) {
        good =
            has_stayed ? arm_again(&work, &image, result, err) : load(&work, &image, result, err);
        if (work.library_fd >= 0)
            call_syscall(&work.call, SYS_close, (uint64_t)work.library_fd, 0, 0, 0, 0, 0);
        good = call_end(&work.call, good ? err : NULL) && good;
    } else {
        good = false;
    }
    work_end(&work, result);
    image_free(&image);
    return good;
}

/* With the hooks gone the library's memory goes as well, unless a thread may return to it. */
static void unload(struct work *work, uint64_t start, struct attach_result *result)
{
    struct error ignored;
    uint64_t handle = remote_handle(work->pid, work->functions.r_debug, start);
    if (handle && make_call(work, work->functions.dlclose, handle, 0, NULL, ALONE_NS, &ignored))
        result->unloaded = !target_is_attached(work->pid);
}

/* Calls the library's detach in a thread of the process. unloads: nobody returns to it, so
 * that it may leave memory after that. */
static bool detach_step(struct work *work, unsigned timeout_ms, uint64_t start,
                        struct attach_order *order, struct attach_result *result, struct error *err)
{
    if (!find_safe_point(work, timeout_ms, result, err))
        return false;
    /* looked at before the calls: until they are done no other thread runs */
    bool used = safe_point_uses(work->safe, &work->tracee);
    if (!call_begin(&work->call, work->pid, work->thread, &work->functions.code, err))
        return false;
    bool good = make_call(work, order->detach, 0, 0, NULL, LOAD_NS, err) &&
                peek(work->pid, work->order, order, sizeof *order);
    if (good && order->state == ATTACH_DETACHED && !used && !order->pending &&
        work->tracee.stopped_at)
        unload(work, start, result);
    good = call_end(&work->call, good ? err : NULL) && good;
    tracee_release(&work->tracee, 0);
    return good;
}

/* Has any thread the signal pending, or the process? */
static bool is_pending(pid_t pid, uint64_t signo)
{
    char path[48];
    bool pending = false;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    for (struct dirent *entry; signo && tasks && !pending && (entry = readdir(tasks));)
        pending = tracee_pending((pid_t)strtol(entry->d_name, NULL, 10)) >> (signo - 1) & 1;
    if (tasks)
        closedir(tasks);
    return pending;
}

/* The timers are gone; what they sent before is handled now. */
static bool wait_for_signals(pid_t pid, uint64_t signo, struct error *err)
{
    const struct timespec nap = {0, 10000000};
    int64_t deadline = clock_monotonic() + SIGNAL_NS;
    do {
        nanosleep(&nap, NULL);
        if (!is_pending(pid, signo))
            return true;
    } while (clock_monotonic() < deadline);
    return fail_with(err,
                     "a thread of process %d blocks signal %d, which is pending: hooks and timers "
                     "are gone, its handler stays; prof detach %d tries again",
                     (int)pid, (int)signo, (int)pid);
}

bool attach_detach(pid_t pid, unsigned timeout_ms, struct attach_result *result, struct error *err)
{
    static const struct attach_options none;
    struct work work = {.pid = pid, .options = &none, .tracee.pid = pid, .library_fd = -1};
    struct wanted wanted = {.state = ATTACH_ARMED};
    struct attach_order order;
    uint64_t start, limit;
    memset(result, 0, sizeof *result);
    if (!find_library(pid, &wanted, &start, &limit, &work.order, &order))
        return fail_with(err, "process %d is not attached", (int)pid);
    bool good = find_functions(&work, err) && (work.safe = safe_point_new(pid, err));
    if (good)
        safe_point_avoid(work.safe, start, limit);
    if (good && order.state == ATTACH_ARMED)
        good = detach_step(&work, timeout_ms, start, &order, result, err);
    good = good && wait_for_signals(pid, order.signal, err) &&
           detach_step(&work, timeout_ms, start, &order, result, err);
    if (good && order.state != ATTACH_DETACHED)
        good = fail_with(err, "process %d did not detach", (int)pid);
    work_end(&work, result);
    return good;
}
