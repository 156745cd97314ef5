/* prof attach and prof detach: processes that run already. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach/attach.h"
#include "attach/introduce.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/run_check.h"
#include "cli/run_summary.h"
#include "cli/runs.h"
#include "cli/session.h"
#include "serve/proc_stat.h"

#define DEFAULT_DIR "libprof.out"
#define DEFAULT_TIMEOUT_MS 5000
#define VARIABLES_MAX 8

struct pids {
    pid_t *list;
    size_t n, cap;
};

static void add_pid(struct pids *pids, pid_t pid)
{
    for (size_t i = 0; i < pids->n; i++)
        if (pids->list[i] == pid)
            return;
    pids->list = mem_grow(pids->list, pids->n, &pids->cap, sizeof *pids->list);
    pids->list[pids->n++] = pid;
}

/* Adds the children of those that are in the list, and theirs. */
static void add_children(struct pids *pids)
{
    size_t before;
    do {
        DIR *proc = opendir("/proc");
        before = pids->n;
        for (struct dirent *entry; proc && (entry = readdir(proc));) {
            struct proc_stat stat;
            pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
            if (pid <= 0 || !proc_stat_read(pid, &stat))
                continue;
            for (size_t i = 0; i < before; i++)
                if (pids->list[i] == stat.parent)
                    add_pid(pids, pid);
        }
        if (proc)
            closedir(proc);
    } while (pids->n > before);
}

static bool read_pids(struct cli_options *o, struct pids *pids)
{
    for (int i = 0; i < o->n_arguments; i++) {
        char *end;
        long pid = strtol(o->arguments[i], &end, 10);
        if (pid <= 0 || *end) {
            fprintf(stderr, "prof: '%s' is no process number\n", o->arguments[i]);
            return false;
        }
        add_pid(pids, (pid_t)pid);
    }
    if (o->tree)
        add_children(pids);
    if (!pids->n)
        fprintf(stderr, "prof: which process? give its number (PID)\n");
    return pids->n > 0;
}

static unsigned timeout_ms(const struct cli_options *o)
{
    double seconds = o->timeout ? strtod(o->timeout, NULL) : 0;
    return seconds > 0 && seconds < 3600 ? (unsigned)(seconds * 1000) : DEFAULT_TIMEOUT_MS;
}

static void set_variable(const char **variables, size_t *n, const char *name, const char *value)
{
    if (value)
        variables[(*n)++] = mem_printf("%s=%s", name, value);
}

static void keep_ledger(void *arg, int fd)
{
    *(int *)arg = fd;
}

/* Attaches to one process. socket_path: of the collector that is to have it. */
static bool attach_one(const struct cli_options *o, pid_t pid, const char *library,
                       const char *socket_path, const char *dir)
{
    const char *variables[VARIABLES_MAX + 1] = {NULL};
    size_t n = 0;
    int ledger = -1;
    struct attach_result result;
    struct error err;
    char *absolute = realpath(dir, NULL);
    set_variable(variables, &n, "LIBPROF_SOCKET", socket_path);
    set_variable(variables, &n, "LIBPROF_DIR", absolute ? absolute : dir);
    set_variable(variables, &n, "LIBPROF_PROFILES", o->profiles);
    set_variable(variables, &n, "LIBPROF_CPU_HZ", o->hz);
    set_variable(variables, &n, "LIBPROF_HEAP_RATE", o->exact ? "1" : NULL);
    /* its signals stay its own: the collector asks by way of shared memory */
    set_variable(variables, &n, "LIBPROF_SIGNAL", "none");
    struct attach_options options = {
        .library = library,
        .environment = variables,
        .timeout_ms = timeout_ms(o),
        .force = o->force,
        .take_ledger = keep_ledger,
        .arg = &ledger,
    };
    bool good = attach_process(pid, &options, &result, &err);
    if (good && !result.reported && ledger >= 0)
        good = introduce(socket_path, pid, ledger, &err);
    if (!good)
        cli_fail("attach", err.text);
    else if (!o->quiet)
        fprintf(stderr,
                "prof: attached to process %d: it stood still for %.1f ms; %llu calls and "
                "%llu threads are watched\n",
                (int)pid, (double)result.stopped_ns * 1e-6, (unsigned long long)result.slots,
                (unsigned long long)result.threads);
    if (ledger >= 0)
        close(ledger);
    while (n > 0)
        free((char *)(uintptr_t)variables[--n]);
    free(absolute);
    return good;
}

static bool detach_one(const struct cli_options *o, pid_t pid)
{
    struct attach_result result;
    struct error err;
    if (!attach_detach(pid, timeout_ms(o), &result, &err)) {
        cli_fail("detach", err.text);
        return false;
    }
    if (!o->quiet)
        fprintf(stderr, "prof: detached from process %d: it stood still for %.1f ms%s\n", (int)pid,
                (double)result.stopped_ns * 1e-6,
                result.unloaded ? "" : "; the library stays, inert: a thread may return to it");
    return true;
}

/* Until a signal comes or all processes have ended. */
static void wait_for_end(const struct pids *pids, const sigset_t *ends)
{
    struct timespec second = {0, 200000000};
    for (;;) {
        size_t alive = 0;
        if (sigtimedwait(ends, NULL, &second) > 0)
            return;
        for (size_t i = 0; i < pids->n; i++)
            alive += kill(pids->list[i], 0) == 0 || errno == EPERM;
        if (!alive)
            return;
    }
}

/* Keeps those that could be attached to. */
static void attach_all(const struct cli_options *o, struct pids *pids, const char *library,
                       const char *socket_path, const char *dir)
{
    size_t kept = 0;
    for (size_t i = 0; i < pids->n; i++)
        if (attach_one(o, pids->list[i], library, socket_path, dir))
            pids->list[kept++] = pids->list[i];
    pids->n = kept;
}

/* With a collector of our own, until Ctrl-C. */
static int attach_here(struct cli_options *o, struct pids *pids, const char *library)
{
    const char *dir = o->output ? o->output : DEFAULT_DIR;
    struct session session;
    struct error err;
    sigset_t ends;
    bool made;
    FILE *noted;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    if (!run_make_directory(dir, &made, &err) || !session_open(&session, o, dir, &err))
        return cli_fail(dir, err.text);
    unsigned number = runs_begin(dir, o->arguments, &noted, &err);
    attach_all(o, pids, library, session.socket_path, dir);
    size_t attached = pids->n;
    if (attached) {
        if (!o->quiet)
            fprintf(stderr, "prof: Ctrl-C ends and detaches\n");
        wait_for_end(pids, &ends);
    }
    session_close(&session); /* what was recorded is written before the ledgers go */
    for (size_t i = 0; i < pids->n; i++)
        if (kill(pids->list[i], 0) == 0)
            detach_one(o, pids->list[i]);
    if (number && !runs_end(noted, &session.collector) && made)
        runs_forget(dir, number);
    if (made)
        rmdir(dir); /* stays, with profiles in it */
    if (attached)
        run_summary(&session.collector, pids->list[0], 0, o->quiet);
    collector_free(&session.collector);
    return attached ? 0 : 1;
}

static int run_attach(struct cli_options *o)
{
    struct pids pids = {0};
    struct error err;
    if (!read_pids(o, &pids))
        return 2;
    char *library = run_find_library(&err);
    if (!library)
        return cli_fail("attach", err.text);
    int status = 0;
    if (o->socket) {
        size_t wanted = pids.n;
        attach_all(o, &pids, library, o->socket, o->output ? o->output : DEFAULT_DIR);
        status = pids.n == wanted ? 0 : 1;
    } else {
        status = attach_here(o, &pids, library);
    }
    free(pids.list);
    free(library);
    return status;
}

static int run_detach(struct cli_options *o)
{
    struct pids pids = {0};
    int status = 0;
    if (!read_pids(o, &pids))
        return 2;
    for (size_t i = 0; i < pids.n; i++)
        if (!detach_one(o, pids.list[i]))
            status = 1;
    free(pids.list);
    return status;
}

const struct command cmd_attach = {
    .name = "attach",
    .usage = "[OPTIONS] PID...",
    .summary = "profile processes that run already",
    .help =
        "Puts libprof.so into each process at a safe moment, collects until Ctrl-C or until\n"
        "they have ended, and takes it out again; then prints a summary as prof run does. The\n"
        "process stands still for some milliseconds and notices nothing else. With --socket\n"
        "the processes are handed to a running prof serve instead and stay attached until\n"
        "prof detach.\n"
        "\n"
        "Memory that was allocated before, and calls through function pointers that the\n"
        "program had looked up before, are not seen.\n"
        "\n"
        "It takes the rights of a debugger: the same user or root, and kernel.yama.ptrace_scope\n"
        "0 for processes that are not children of prof. In a container: the capability\n"
        "SYS_PTRACE; in Kubernetes: an ephemeral container with shareProcessNamespace (or\n"
        "kubectl debug --target) that has it. Refused are static programs, programs of\n"
        "another C library than glibc, 32-bit programs, and, without --force, programs under\n"
        "a seccomp filter.\n"
        "\n"
        "Examples:\n"
        "  prof attach 4242\n"
        "  prof attach --tree --exact -o leaks 4242\n"
        "  prof attach --socket /run/libprof/socket 4242; prof detach 4242\n",
    .run = run_attach,
    .options = "http exact hz profiles tree timeout force socket output quiet",
};

const struct command cmd_detach = {
    .name = "detach",
    .usage = "[OPTIONS] PID...",
    .summary = "take libprof out of processes again",
    .help = "Every function pointer that led to libprof leads to where it led before; timers and\n"
            "signal handlers are gone. The library leaves memory unless a thread may still return\n"
            "to it; then it stays without effect.\n"
            "\n"
            "Example:\n"
            "  prof detach 4242\n",
    .run = run_detach,
    .options = "tree timeout quiet",
};
