/* prof run: a program and its children under a collector of their own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/run_check.h"
#include "cli/run_summary.h"
#include "cli/runs.h"
#include "cli/session.h"

#define DEFAULT_DIR "libprof.out"

/* Signals that are meant for the program: passed on to it. Those of the terminal
 * (Ctrl-C, Ctrl-\) it gets from the terminal itself; we only have to survive them. */
static const int passed[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};
static const int survived[] = {SIGINT, SIGQUIT};

static volatile sig_atomic_t child_pid;

static void pass_on(int signo)
{
    int saved = errno;
    if (child_pid > 0)
        kill(child_pid, signo);
    errno = saved;
}

static void ignore(int signo)
{
    (void)signo;
}

/* What we were told to ignore (by nohup, say) stays ignored, and exec hands it down. */
static void set_handler(int signo, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
    if (sigaction(signo, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(signo, &action, NULL);
}

/* Signals that are passed on wait until there is a program to pass them to; the threads that
 * are started meanwhile leave them to the main thread for good. */
static void block_passed(sigset_t *old)
{
    sigset_t wait;
    sigemptyset(&wait);
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        sigaddset(&wait, passed[i]);
    sigprocmask(SIG_BLOCK, &wait, old);
}

static void set_handlers(void)
{
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        set_handler(passed[i], pass_on);
    for (size_t i = 0; i < sizeof survived / sizeof *survived; i++)
        set_handler(survived[i], ignore); /* not SIG_IGN, which exec would hand down */
}

/* As exec would: a signal that comes before it is the program's already. */
static void reset_handlers(void)
{
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        set_handler(passed[i], SIG_DFL);
    for (size_t i = 0; i < sizeof survived / sizeof *survived; i++)
        set_handler(survived[i], SIG_DFL);
}

/* Signals that prof itself can't leave as it found them: a child's status is lost where
 * SIGCHLD is ignored, and a reader that goes away must not end us. The program gets them as
 * we were given them. */
static const int borrowed[] = {SIGCHLD, SIGPIPE};
static struct sigaction handed_down[sizeof borrowed / sizeof *borrowed];

static void borrow_signals(void)
{
    for (size_t i = 0; i < sizeof borrowed / sizeof *borrowed; i++)
        sigaction(borrowed[i], NULL, &handed_down[i]);
    signal(SIGCHLD, SIG_DFL);
}

static void give_signals_back(void)
{
    for (size_t i = 0; i < sizeof borrowed / sizeof *borrowed; i++)
        sigaction(borrowed[i], &handed_down[i], NULL);
}

static void set_default(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
}

/* AddressSanitizer's runtime ends a program that has another library before it. Behind
 * libprof.so it works as well, and sanitized programs may be anywhere below this one. */
static void allow_sanitizers(void)
{
    const char *given = getenv("ASAN_OPTIONS");
    char *value =
        mem_printf("%s%sverify_asan_link_order=0", given ? given : "", given && *given ? ":" : "");
    setenv("ASAN_OPTIONS", value, 1);
    free(value);
}

/* Before what is preloaded already: of two allocators the program's stays in force. But behind
 * the C library's checking allocator, which only works where it comes first (glibc manual,
 * "Heap Consistency Checking"). malloc'ed. */
static char *preload_with(const char *library)
{
    const char *preload = getenv("LD_PRELOAD");
    if (!preload || !*preload)
        return mem_strdup(library);
    if (strstr(preload, "libc_malloc_debug.so"))
        return mem_printf("%s:%s", preload, library);
    return mem_printf("%s:%s", library, preload);
}

/* dir: absolute. There a process that outlives us writes its profiles at its end. */
static void set_environment(const struct cli_options *o, const char *library,
                            const char *socket_path, const char *dir)
{
    char *value = preload_with(library);
    setenv("LD_PRELOAD", value, 1);
    setenv("LIBPROF_SOCKET", socket_path, 1);
    set_default("LIBPROF_DIR", o->dir ? o->dir : dir);
    set_default("LIBPROF_CPU_HZ", o->hz);
    if (o->trace)
        setenv("LIBPROF_TRACE", "flight", 1);
    if (o->exact)
        setenv("LIBPROF_HEAP_RATE", "1", 1);
    allow_sanitizers();
    free(value);
}

/* The child execs; errno comes back through a pipe when it can't. */
static pid_t start_program(const struct cli_options *o, const char *library,
                           const char *socket_path, const char *dir, const sigset_t *mask,
                           int *error)
{
    int report[2];
    *error = 0;
    if (pipe2(report, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        set_environment(o, library, socket_path, dir);
        give_signals_back();
        reset_handlers();
        sigprocmask(SIG_SETMASK, mask, NULL);
        execvp(o->arguments[0], o->arguments);
        int why = errno;
        if (write(report[1], &why, sizeof why) < 0)
            _exit(126);
        _exit(127);
    }
    close(report[1]);
    if (pid > 0 && read(report[0], error, sizeof *error) == sizeof *error)
        waitpid(pid, NULL, 0);
    close(report[0]);
    return pid;
}

/* Ends as the program did: by its signal, or with its status. */
static int end_as(int status)
{
    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    int signo = WTERMSIG(status);
    struct rlimit no_core = {0, 0}; /* the program's own core is the one of interest */
    setrlimit(RLIMIT_CORE, &no_core);
    signal(signo, SIG_DFL);
    sigset_t just;
    sigemptyset(&just);
    sigaddset(&just, signo);
    sigprocmask(SIG_UNBLOCK, &just, NULL);
    fflush(NULL);
    kill(getpid(), signo);
    return 128 + signo;
}

/* As a container's first process we inherit every orphan: it must not stay a zombie. */
static int wait_program(pid_t pid)
{
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(getpid() == 1 ? -1 : pid, &status, 0);
        if (ended == pid || (ended < 0 && errno != EINTR))
            return status;
    }
}

/* The path by which the program loads libprof.so: a link in the session's folder where LD_PRELOAD
 * can't name the file itself. malloc'ed. */
static char *preloadable(const struct session *session, const char *library)
{
    if (run_can_be_preloaded(library))
        return mem_strdup(library);
    char *link = mem_printf("%s/libprof.so", session->folder);
    if (symlink(library, link) == 0)
        return link;
    cli_fail(link, strerror(errno)); /* the loader says the rest */
    free(link);
    return mem_strdup(library);
}

static int run_run(struct cli_options *o)
{
    struct session session;
    struct error err;
    sigset_t mask;
    int error;
    if (!o->n_arguments) {
        fprintf(stderr, "prof run: which program? prof run [OPTIONS] -- PROGRAM ARGUMENTS\n");
        return 2;
    }
    char *library = run_find_library(&err);
    if (!library || !run_check_program(o->arguments[0], &err))
        return cli_fail(o->arguments[0], err.text) * 126;
    const char *dir = o->output ? o->output : DEFAULT_DIR;
    bool made;
    if (!run_make_directory(dir, &made, &err)) {
        cli_fail(dir, err.text);
        return 126;
    }
    block_passed(&mask);
    borrow_signals();
    if (!session_open(&session, o, dir, &err))
        return cli_fail("run", err.text);
    set_handlers();
    FILE *noted;
    unsigned number = runs_begin(dir, o->arguments, &noted, &err);
    if (!number)
        cli_fail(dir, err.text); /* its profiles are written all the same */
    char *preloaded = preloadable(&session, library), *absolute = realpath(dir, NULL);
    pid_t pid = start_program(o, preloaded, session.socket_path, absolute, &mask, &error);
    child_pid = pid;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    int status = 0;
    if (pid < 0 || error)
        cli_fail(o->arguments[0], strerror(error ? error : errno));
    else
        status = wait_program(pid);
    child_pid = 0;
    if (strcmp(preloaded, library) != 0)
        unlink(preloaded);
    free(preloaded);
    free(absolute);
    session_close(&session);
    if (number && !runs_end(noted, &session.collector) && made)
        runs_forget(dir, number);
    if (made)
        rmdir(dir); /* stays, with profiles in it */
    if (!error && pid > 0)
        run_summary(&session.collector, pid, status, o->quiet);
    collector_free(&session.collector);
    free(library);
    if (pid < 0 || error)
        return error == ENOENT ? 127 : 126; /* as shells say it */
    return end_as(status);
}

const struct command cmd_run = {
    .name = "run",
    .usage = "[OPTIONS] [--] PROGRAM [ARGUMENTS]",
    .summary = "run a program and profile it and its children",
    .help = "Runs the program with libprof.so in it, collects from every process of its tree,\n"
            "writes their profiles to -o DIR (libprof.out) as each ends, however it ends, and\n"
            "prints a summary. Exits as the program did.\n"
            "\n"
            "Examples:\n"
            "  prof run ./app --its-option; prof top libprof.out\n"
            "  prof run --http :6060 ./server\n"
            "  prof run --exact -o leaks -- ./test-suite\n",
    .run = run_run,
    .options = "http exact trace hz output quiet",
    .takes_command = true,
};
