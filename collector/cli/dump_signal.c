#include "cli/dump_signal.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/peek.h"
#include "runtime/config.h"
#include "wire/directory.h"
#include "wire/handover.h"
#include "wire/layout.h"

#define PATIENCE_MS 10000
#define PAUSE_MS 20

/* /proc/PID/NAME in full, with a NUL behind it; malloc'ed. NULL: errno. */
static char *read_proc(pid_t pid, const char *name, size_t *size)
{
    char path[64], *text = NULL;
    size_t room = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    ssize_t got;
    *size = 0;
    do {
        if (room - *size < 4096)
            text = mem_resize(text, room = room * 2 + 16384, 1);
        got = read(fd, text + *size, room - *size - 1);
        *size += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    close(fd);
    text[*size] = '\0';
    return text;
}

/* The process's own settings into `config`, as its constructor read them: from the
 * environment it started with; a relative directory is one of where it is now. */
static bool read_settings(pid_t pid, struct error *err)
{
    size_t size, count = 0, room = 0;
    char folder[64], *text = read_proc(pid, "environ", &size);
    if (!text)
        return fail_with(err, "its environment can't be read: %s", strerror(errno));
    char **words = NULL;
    for (char *at = text; at < text + size; at += strlen(at) + 1) {
        words = mem_grow(words, count + 1, &room, sizeof *words);
        words[count++] = at;
    }
    words = mem_resize(words, count + 1, sizeof *words);
    words[count] = NULL;
    snprintf(folder, sizeof folder, "/proc/%d/cwd", (int)pid);
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool good = here >= 0 && chdir(folder) == 0;
    if (good) {
        config_init(words, NULL, NULL, NULL);
        good = fchdir(here) == 0;
    }
    if (!good)
        fail_with(err, "%s: %s", folder, strerror(errno));
    if (here >= 0)
        close(here);
    free(words);
    free(text);
    return good;
}

/* What the process's memory and status say of it. */
struct target {
    unsigned own_pid; /* as it sees itself */
    int asked_by;     /* the signal by which libprof is asked there */
    uintptr_t ledger; /* where its ledger begins */
};

/* The ledger, by its name in the list of mappings: anybody who may signal the process may read
 * that, also where reading its memory is reserved to debuggers (Yama's ptrace_scope). */
static bool find_ledger(pid_t pid, struct target *target, struct error *err)
{
    size_t size;
    char *maps = read_proc(pid, "maps", &size);
    if (!maps)
        return fail_with(err, "%s", errno == ENOENT ? "no such process" : strerror(errno));
    bool has_libprof = strstr(maps, "/libprof.so") != NULL;
    char *name = strstr(maps, "/memfd:" LEDGER_NAME);
    if (name) {
        char *line = name;
        while (line > maps && line[-1] != '\n')
            line--;
        target->ledger = (uintptr_t)strtoull(line, NULL, 16);
        target->asked_by = (int)strtoul(name + strlen("/memfd:" LEDGER_NAME), NULL, 10);
    }
    free(maps);
    if (name)
        return true;
    return has_libprof
               ? fail_with(err, "it has recorded nothing yet (or isn't profiled at all), and no "
                                "collector knows it: try again when it has done some work")
               : fail_with(err, "no collector knows it and it runs without libprof: start it with "
                                "prof run, or with LD_PRELOAD=libprof.so");
}

/* A signal that its program handles in another way, or not at all, isn't sent. */
static bool check_status(pid_t pid, struct target *target, struct error *err)
{
    size_t size;
    char *status = read_proc(pid, "status", &size);
    char *caught = status ? strstr(status, "\nSigCgt:") : NULL;
    char *names = status ? strstr(status, "\nNSpid:") : NULL;
    uint64_t mask = caught ? strtoull(caught + 8, NULL, 16) : 0;
    target->own_pid = (unsigned)pid;
    for (char *at = names ? names + 7 : ""; *at == '\t' || *at == ' ';)
        target->own_pid = (unsigned)strtoul(at, &at, 10); /* the last: as it sees itself */
    free(status);
    if (target->asked_by < 1 || target->asked_by > 64)
        return fail_with(err, "libprof found no free signal there by which it could be asked");
    if (!(mask >> (target->asked_by - 1) & 1))
        return fail_with(err,
                         "it doesn't listen: signal %d, by which libprof is asked there, isn't "
                         "handled (a sandbox, or the program took it away)",
                         target->asked_by);
    return true;
}

/* Where it writes to, as its ledger says: programs write over their environment (a title for
 * ps), so that is the second choice. */
static void read_directory(pid_t pid, const struct target *target)
{
    struct ledger_header header;
    uint32_t length;
    char dir[CONFIG_PATH_MAX];
    if (!peek(pid, target->ledger, &header, sizeof header) || header.magic != LEDGER_MAGIC ||
        header.version != LEDGER_VERSION || !header.dir)
        return;
    uintptr_t string = target->ledger + header.sections[LEDGER_STRINGS].offset + header.dir;
    if (peek(pid, string, &length, sizeof length) && length < sizeof dir &&
        peek(pid, string + sizeof length, dir, length)) {
        dir[length] = '\0';
        strcpy(config.dir, dir);
    }
}

/* Looks before anything is sent: a signal that libprof doesn't handle would end the process, or
 * mean something else to it. */
static bool check_process(pid_t pid, struct target *target, struct error *err)
{
    if (!find_ledger(pid, target, err) || !check_status(pid, target, err) ||
        !read_settings(pid, err))
        return false;
    read_directory(pid, target);
    return true;
}

/* The sequence of a file EXE.PID.SEQ.PROFILE.pb.gz; 0: another name. */
static unsigned file_sequence(const char *path, unsigned own_pid)
{
    char wanted[32];
    snprintf(wanted, sizeof wanted, ".%u.", own_pid);
    const char *name = strrchr(path, '/'), *found = NULL;
    for (const char *at = name ? strstr(name, wanted) : NULL; at; at = strstr(at + 1, wanted))
        found = at;
    return found ? (unsigned)strtoul(found + strlen(wanted), NULL, 10) : 0;
}

struct watch {
    char finished[CONFIG_PATH_MAX + 128]; /* glob(3) patterns of its files */
    char claims[CONFIG_PATH_MAX + 128];
    unsigned own_pid;
};

/* Its directory's patterns are filled in; %e, which only it knows, becomes a `*`. */
static void start_watch(struct watch *watch, pid_t pid, unsigned own_pid)
{
    static struct directory directory;
    char root[64], target[8] = "";
    directory.pid = own_pid;
    strcpy(directory.program, "*");
    directory_expand(&directory, config.dir);
    snprintf(root, sizeof root, "/proc/%d/root", (int)pid);
    /* a root of its own: seen from there (what differs in mounts only, too) */
    char ours[64] = "", its[64] = "", link[64];
    snprintf(link, sizeof link, "/proc/%d/ns/mnt", (int)pid);
    bool same = readlink(root, target, sizeof target - 1) == 1 &&
                readlink("/proc/self/ns/mnt", ours, sizeof ours - 1) > 0 &&
                readlink(link, its, sizeof its - 1) > 0 && strcmp(ours, its) == 0;
    watch->own_pid = own_pid;
    snprintf(watch->finished, sizeof watch->finished, "%s%s/*.%u.*.pb.gz", same ? "" : root,
             directory.path, own_pid);
    snprintf(watch->claims, sizeof watch->claims, "%s%s/.*.%u.*.tmp", same ? "" : root,
             directory.path, own_pid);
}

static unsigned newest_sequence(const struct watch *watch, const char *pattern)
{
    glob_t found;
    unsigned newest = 0;
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) {
            unsigned sequence = file_sequence(found.gl_pathv[i], watch->own_pid);
            newest = sequence > newest ? sequence : newest;
        }
    globfree(&found);
    return newest;
}

static char **list_files(const struct watch *watch, unsigned sequence, size_t *n)
{
    glob_t found;
    size_t room = 0;
    char **paths = NULL;
    *n = 0;
    if (glob(watch->finished, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (file_sequence(found.gl_pathv[i], watch->own_pid) == sequence) {
                paths = mem_grow(paths, *n, &room, sizeof *paths);
                paths[(*n)++] = mem_strdup(found.gl_pathv[i]);
            }
    globfree(&found);
    return paths;
}

/* A dump claims its number first and gives the claim up when all is written. */
static unsigned wait_dump(const struct watch *watch, int pidfd, unsigned before)
{
    for (unsigned waited = 0; waited < PATIENCE_MS; waited += PAUSE_MS) {
        struct pollfd end = {.fd = pidfd, .events = POLLIN};
        bool ended = poll(&end, 1, PAUSE_MS) > 0;
        unsigned now = newest_sequence(watch, watch->finished);
        if (now > before && (ended || newest_sequence(watch, watch->claims) < now))
            return now;
        if (ended)
            return 0;
    }
    return 0;
}

char **dump_by_signal(pid_t pid, size_t *n, struct error *err)
{
    struct target target = {0};
    unsigned sequence = 0;
    struct watch watch;
    char **paths = NULL;
    /* first, so that the signal reaches what was looked at */
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        fail_with(err, "%s", errno == ESRCH ? "no such process" : strerror(errno));
        return NULL;
    }
    if (check_process(pid, &target, err)) {
        start_watch(&watch, pid, target.own_pid);
        unsigned before = newest_sequence(&watch, watch.finished);
        siginfo_t info = {.si_signo = target.asked_by, .si_code = SI_QUEUE};
        info.si_pid = getpid();
        info.si_uid = getuid();
        info.si_value.sival_ptr = (void *)HANDOVER_ASK(HANDOVER_ASK_DUMP);
        if (syscall(SYS_pidfd_send_signal, pidfd, target.asked_by, &info, 0) < 0)
            fail_with(err, "can't be signalled: %s", strerror(errno));
        else if ((sequence = wait_dump(&watch, pidfd, before)) == 0)
            fail_with(err, "asked for one, it wrote no dump that matches %s%s%s", watch.finished,
                      config.socket[0] ? ": it has a collector at " : "", config.socket);
        else
            paths = list_files(&watch, sequence, n);
    }
    close(pidfd);
    return paths;
}
