#include "attach/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/remote.h"
#include "base/mem.h"
#include "wire/attach_order.h"

/* The fields of /proc/PID/status that count (proc_pid_status(5)). */
struct status {
    char state;
    int tracer;
    unsigned uid[4]; /* real, effective, saved, file system */
    int seccomp;     /* 2: a filter */
    bool kernel;     /* no memory of its own */
};

static bool read_status(pid_t pid, struct status *status)
{
    char path[40], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    *status = (struct status){.kernel = true};
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "State: %c", &status->state);
        sscanf(line, "TracerPid: %d", &status->tracer);
        sscanf(line, "Uid: %u %u %u %u", &status->uid[0], &status->uid[1], &status->uid[2],
               &status->uid[3]);
        sscanf(line, "Seccomp: %d", &status->seccomp);
        if (strncmp(line, "VmSize:", 7) == 0)
            status->kernel = false;
    }
    fclose(file);
    return true;
}

static int yama_scope(void)
{
    int scope = 0;
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%d", &scope) != 1)
        scope = 0;
    fclose(file);
    return scope;
}

static bool check_state(pid_t pid, const struct status *s, bool force, struct error *err)
{
    if (s->state == 'Z' || s->state == 'X')
        return fail_with(err, "process %d has ended and only waits for its parent", (int)pid);
    if (s->kernel)
        return fail_with(err, "process %d is a kernel thread", (int)pid);
    if (s->tracer)
        return fail_with(
            err, "process %d is traced by process %d (a debugger or strace): end that first",
            (int)pid, s->tracer);
    if (s->state == 'T')
        return fail_with(err, "process %d is stopped: let it go on first (kill -CONT %d)", (int)pid,
                         (int)pid);
    if (s->seccomp == 2 && !force)
        return fail_with(
            err,
            "process %d is under a seccomp filter, which may kill it for a system call "
            "of ours: --force tries it",
            (int)pid);
    return true;
}

/* Reading its memory asks for the same rights as tracing it (ptrace(2), "access mode"). */
static bool check_rights(pid_t pid, const struct status *s, struct error *err)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        int scope = geteuid() == 0 ? 0 : yama_scope();
        if (scope == 0)
            return true;
        return fail_with(err,
                         "tracing is limited by Yama (kernel.yama.ptrace_scope is %d): run prof as "
                         "root, or set it to 0",
                         scope);
    }
    if (geteuid() != 0 && s->uid[1] != geteuid())
        return fail_with(err, "process %d belongs to user %u: run prof as that user or as root",
                         (int)pid, s->uid[1]);
    if (geteuid() != 0 && (s->uid[0] != s->uid[1] || s->uid[1] != s->uid[2]))
        return fail_with(err, "process %d is set-user-id: only root may trace it", (int)pid);
    return fail_with(err,
                     "process %d may not be traced (%s): run prof as root; in a container with the "
                     "capability CAP_SYS_PTRACE",
                     (int)pid, strerror(errno));
}

/* The name of what /proc/PID/maps holds that begins with prefix: true. */
static bool has_object(const struct remote_maps *maps, const char *prefix)
{
    return remote_maps_object(maps, prefix) != NULL;
}

static bool is_memfd(const struct remote_mapping *m)
{
    return strncmp(m->path, ATTACH_LIBRARY_PATH, strlen(ATTACH_LIBRARY_PATH)) == 0;
}

static bool check_class(pid_t pid, struct error *err)
{
    unsigned char head[EI_NIDENT + 4] = {0};
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, head, sizeof head) : -1;
    if (fd >= 0)
        close(fd);
    if (length == (ssize_t)sizeof head && head[EI_CLASS] == ELFCLASS32)
        return fail_with(err, "process %d is a 32-bit program: libprof.so is for 64-bit programs",
                         (int)pid);
    return true;
}

static bool check_objects(pid_t pid, const struct remote_maps *maps, struct error *err)
{
    if (has_object(maps, "ld-musl"))
        return fail_with(err, "process %d uses the C library musl: this libprof.so is for glibc",
                         (int)pid);
    if (!has_object(maps, "libc.so.6") && !has_object(maps, "libc-2."))
        return fail_with(err,
                         "process %d has no glibc loaded (a static program?): nothing to attach to",
                         (int)pid);
    for (size_t n = 0; n < maps->count; n++) {
        const char *slash = strrchr(maps->maps[n].path, '/');
        if (slash && strncmp(slash + 1, "libprof.so", 10) == 0 && !is_memfd(&maps->maps[n]))
            return fail_with(err,
                             "process %d was started under libprof: prof ps and prof dump reach it",
                             (int)pid);
    }
    return true;
}

bool target_is_attached(pid_t pid)
{
    struct remote_maps maps;
    bool found = false;
    if (!remote_maps_read(pid, &maps))
        return false;
    for (size_t n = 0; n < maps.count && !found; n++)
        found = is_memfd(&maps.maps[n]);
    remote_maps_free(&maps);
    return found;
}

bool target_check(pid_t pid, bool force, struct error *err)
{
    struct status status;
    struct remote_maps maps;
#if !defined(__x86_64__)
    return fail_with(err, "prof attach is for x86-64 so far: start process %d under libprof",
                     (int)pid);
#endif
    if (pid == getpid())
        return fail_with(err, "prof cannot attach to itself");
    if (!read_status(pid, &status))
        return fail_with(err, "there is no process %d", (int)pid);
    if (!check_state(pid, &status, force, err) || !check_rights(pid, &status, err) ||
        !check_class(pid, err))
        return false;
    if (!remote_maps_read(pid, &maps))
        return fail_with(err, "cannot read the mappings of process %d: %s", (int)pid,
                         strerror(errno));
    bool good = check_objects(pid, &maps, err);
    remote_maps_free(&maps);
    return good;
}
