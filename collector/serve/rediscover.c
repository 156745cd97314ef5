#include "serve/rediscover.h"

#include "base/mem.h"
#include "serve/map_ledger.h"
#include "serve/process_end.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where a process has its ledger. */
struct place {
    uint64_t start, end; /* of the header's mapping */
};

/* The mapping of a ledger's first page. False: there is none, or it may not be looked at. */
static bool find_ledger(pid_t pid, struct place *place)
{
    char path[64], *line = NULL;
    size_t size = 0;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    while (maps && !found && getline(&line, &size, maps) > 0) {
        uint64_t offset;
        if (strstr(line, "/memfd:" LEDGER_NAME) &&
            sscanf(line, "%" SCNx64 "-%" SCNx64 " rw-s %" SCNx64, &place->start, &place->end,
                   &offset) == 3)
            found = offset == 0;
    }
    if (maps)
        fclose(maps);
    free(line);
    return found;
}

/* As the process sees itself: the last of NSpid's numbers. */
static pid_t own_pid(pid_t pid)
{
    char path[64], *line = NULL;
    size_t size = 0;
    pid_t own = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "re");
    while (status && getline(&line, &size, status) > 0) {
        const char *last = strncmp(line, "NSpid:", 6) == 0 ? strrchr(line, '\t') : NULL;
        if (last)
            own = (pid_t)atoi(last + 1);
    }
    if (status)
        fclose(status);
    free(line);
    return own;
}

/* Does its environment name our socket? Programs that write into it (setproctitle) can't tell. */
static bool names_our_socket(pid_t pid, const struct stat *ours)
{
    static const char name[] = "LIBPROF_SOCKET=";
    char path[64], *variable = NULL;
    size_t size = 0;
    struct stat theirs;
    bool same = false;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *environment = fopen(path, "re");
    while (environment && !same && getdelim(&variable, &size, '\0', environment) > 0) {
        if (strncmp(variable, name, sizeof name - 1) != 0)
            continue;
        char *full = mem_printf("/proc/%d/root%s", (int)pid, variable + sizeof name - 1);
        same = stat(full, &theirs) == 0 && theirs.st_dev == ours->st_dev &&
               theirs.st_ino == ours->st_ino;
        free(full);
    }
    if (environment)
        fclose(environment);
    free(variable);
    return same;
}

/* Shares its memory, or copies it. */
static bool open_ledger(pid_t pid, const struct place *place, struct mapped_ledger *ledger)
{
    char path[96];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, place->start,
             place->end);
    int fd = open(path, O_RDWR | O_CLOEXEC); /* proc(5): asks for CAP_CHECKPOINT_RESTORE */
    if (fd < 0)
        return !copy_ledger(pid, place->start, ledger);
    const char *wrong = fstat(fd, &info) < 0 ? "" : map_ledger(fd, (uint64_t)info.st_size, ledger);
    if (wrong)
        unmap_ledger(ledger);
    close(fd);
    return !wrong;
}

/* Its own, and not its parent's, whom it hasn't left yet; ours to take. */
static bool is_ours(struct collector *collector, pid_t pid, const struct ucred *owner,
                    const struct mapped_ledger *ledger, const struct stat *socket)
{
    struct handover_answer *place = handover_answer(ledger->base);
    struct handover_kin token = {{atomic_load(&place->token[0]), atomic_load(&place->token[1])}};
    if ((pid_t)ledger->view.header->pid != own_pid(pid))
        return false;
    if (welcome_kin(&collector->welcome, &token))
        return true; /* it was taken before */
    return names_our_socket(pid, socket) &&
           welcome_peer(&collector->welcome, &collector->registry, owner);
}

static bool still_runs(int pidfd)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    return pidfd >= 0 && poll(&end, 1, 0) == 0;
}

static void take(struct collector *collector, const struct ucred *owner, int pidfd,
                 struct mapped_ledger *ledger)
{
    const struct ledger_header *header = ledger->view.header;
    const char *exe = ledger_view_string(&ledger->view, header->exe, NULL);
    struct process_hello hello = {
        .pid = owner->pid,
        .own_pid = (pid_t)header->pid,
        .uid = owner->uid,
        .pidfd = pidfd,
        .asked_by = header->asked_by <= 64 ? (int)header->asked_by : 0,
        .exe = exe ? exe : "",
        .ledger = *ledger,
    };
    welcome_answer(&collector->welcome, ledger, HANDOVER_TAKEN);
    struct process *process = process_new(&hello);
    registry_add(&collector->registry, process);
    process_end_watch(collector, process);
    process_release(process);
}

static bool look_at(struct collector *collector, pid_t pid, const struct stat *socket)
{
    char path[32];
    struct stat info;
    struct place place;
    struct mapped_ledger ledger;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (stat(path, &info) < 0 || (geteuid() != 0 && info.st_uid != geteuid()) ||
        !find_ledger(pid, &place))
        return false;
    struct process *known = registry_find_running(&collector->registry, pid);
    if (known) {
        process_release(known);
        return false;
    }
    /* First, so that what is looked at is this process's. */
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct ucred owner = {.pid = pid, .uid = info.st_uid, .gid = info.st_gid};
    if (pidfd >= 0 && open_ledger(pid, &place, &ledger)) {
        if (is_ours(collector, pid, &owner, &ledger, socket) && still_runs(pidfd)) {
            take(collector, &owner, pidfd, &ledger);
            return true;
        }
        unmap_ledger(&ledger);
    }
    if (pidfd >= 0)
        close(pidfd);
    return false;
}

size_t rediscover(struct collector *collector)
{
    struct stat socket;
    size_t taken = 0;
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    if (stat(collector->options.socket, &socket) < 0) {
        if (proc)
            closedir(proc);
        return 0;
    }
    while (proc && (entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 0 && pid != getpid())
            taken += look_at(collector, pid, &socket);
    }
    if (proc)
        closedir(proc);
    return taken;
}
