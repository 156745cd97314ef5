/* What a program can find out about its signals: printed, so that the runs with
 * and without libprof can be compared byte for byte. Argument: the dump signal's
 * number. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t calls, with_info, blocked_inside;
static sigjmp_buf back;

static void simple(int signo)
{
    sigset_t now;

    calls++;
    sigprocmask(SIG_BLOCK, NULL, &now);
    blocked_inside = sigismember(&now, signo) * 2 + sigismember(&now, SIGUSR1);
    errno = EDOM; /* a handler may */
}

static void informed(int signo, siginfo_t *info, void *context)
{
    with_info += info->si_signo == signo && info->si_pid == getpid() && context != NULL;
}

static void jumping(int signo)
{
    siglongjmp(back, signo);
}

static const char *name_of(const struct sigaction *action)
{
    return action->sa_handler == SIG_DFL      ? "default"
           : action->sa_handler == SIG_IGN    ? "ignored"
           : action->sa_handler == simple     ? "simple"
           : action->sa_sigaction == informed ? "informed"
           : action->sa_handler == jumping    ? "jumping"
                                              : "FOREIGN";
}

static void show(const char *when, int signo)
{
    struct sigaction now;
    /* SA_RESTORER is libc's own business */
    int all = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |
              (int)SA_RESETHAND;

    sigaction(signo, NULL, &now);
    printf("%s: %d %s flags %x mask %d%d\n", when, signo, name_of(&now), now.sa_flags & all,
           sigismember(&now.sa_mask, SIGUSR1), sigismember(&now.sa_mask, signo));
}

static void set(int signo, void (*handler)(int), int flags, int also_blocked)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags}, old;

    if (flags & SA_SIGINFO)
        action.sa_sigaction = informed;
    if (also_blocked)
        sigaddset(&action.sa_mask, also_blocked);
    printf("set: %d", sigaction(signo, &action, &old));
    printf(" was %s\n", name_of(&old));
}

/* Returns once the process sleeps: proc_pid_stat(5). A signal sent to it then makes it
 * runnable at once, so that to sleep again is to have been through its handler. */
static void wait_until_asleep(pid_t pid)
{
    char path[32], line[256];
    const char *state = NULL;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    do {
        usleep(5000);
        FILE *file = fopen(path, "r");
        if (!file || !fgets(line, sizeof line, file))
            _exit(1);
        fclose(file);
        state = strrchr(line, ')');
    } while (!state || state[2] != 'S');
}

/* A system call that the signal interrupts or restarts. */
static void interrupted_read(int signo)
{
    int pipes[2];
    char byte = 'x';

    if (pipe(pipes))
        exit(1);
    pid_t child = fork();
    if (child == 0) {
        usleep(50000);
        wait_until_asleep(getppid());
        kill(getppid(), signo);
        wait_until_asleep(getppid());
        _exit(write(pipes[1], "y", 1) != 1);
    }
    errno = 0;
    ssize_t got = read(pipes[0], &byte, 1);
    printf("read: %d %c %s\n", (int)got, byte, got < 0 ? strerror(errno) : "");
    waitpid(child, NULL, 0);
    close(pipes[0]);
    close(pipes[1]);
}

static void exercise(int signo)
{
    calls = with_info = 0;
    show("at start", signo);
    set(signo, simple, 0, SIGUSR1);
    show("simple", signo);
    raise(signo);
    printf("calls %d blocked %d\n", calls, blocked_inside);
    interrupted_read(signo);
    set(signo, simple, SA_RESTART | SA_NODEFER, 0);
    raise(signo);
    printf("calls %d blocked %d\n", calls, blocked_inside);
    interrupted_read(signo);
    set(signo, NULL, SA_SIGINFO | SA_RESTART, 0);
    kill(getpid(), signo);
    printf("informed %d\n", with_info);
    set(signo, simple, (int)SA_RESETHAND, 0);
    raise(signo);
    show("after one", signo);
    printf("signal: %d\n", signal(signo, simple) == SIG_DFL);
    show("signal", signo);
    siginterrupt(signo, 1);
    show("siginterrupt", signo);
    printf("signal: %d\n", signal(signo, SIG_IGN) == simple);
    raise(signo);
    show("ignored", signo);
    printf("sysv_signal: %d\n", sysv_signal(signo, simple) == SIG_IGN);
    show("sysv_signal", signo);
    set(signo, jumping, 0, 0);
    int jumped = sigsetjmp(back, 1);
    if (!jumped)
        raise(signo);
    printf("jumped with %d\n", jumped == signo);
    errno = 0;
    printf("bad: %d %s\n", signal(signo, SIG_ERR) == SIG_ERR, strerror(errno));
    printf("calls %d\n", calls);
    signal(signo, SIG_DFL);
    show("at end", signo);
}

/* In a child: a default signal's exit status. */
static void death(int signo)
{
    int status;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        free(malloc(1000));
        kill(getpid(), signo);
        for (;;)
            pause();
    }
    waitpid(child, &status, 0);
    printf("child died by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    setbuf(stdout, NULL);
    exercise(atoi(argv[1]));
    exercise(SIGTERM);
    exercise(SIGALRM);
    death(SIGTERM);
    death(SIGINT);
    death(SIGHUP);
    death(SIGQUIT);
    signal(SIGTERM, SIG_IGN);
    printf("execs with SIGTERM ignored\n");
    execl("/bin/sh", "sh", "-c", "kill -TERM $$; echo survived", (char *)NULL);
    return 1;
}
