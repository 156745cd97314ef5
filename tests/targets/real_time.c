/*
 * A program that uses every real-time signal itself, ours among them (hazard 24): what
 * it blocks waits, in the kernel's order and with what was sent along, for sigwait,
 * sigtimedwait, signalfd, sigsuspend, ppoll and the end of the blocking. The thread is
 * sampled again once it blocks the signal no longer.
 */
#include "probe.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

static volatile sig_atomic_t handled, last;
static sigset_t real_time, before;

__attribute__((noipa)) void unblocked_burn(void)
{
    probe_burn(300 * MS);
    __asm__ volatile("");
}

static void handle(int signo)
{
    handled++;
    last = signo;
}

/* Raised by the thread that waits: all are pending, and come in order. */
static void waits(void)
{
    sigset_t pending;
    siginfo_t info;
    int came = 0;
    const struct timespec none = {0, 0};

    for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
        raise(signo);
    sigpending(&pending);
    for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
        probe_check(sigismember(&pending, signo), "signal %d isn't pending", signo);
    for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
        int error = signo % 2 ? sigwait(&real_time, &came) : 0;
        if (signo % 2 == 0)
            came = sigwaitinfo(&real_time, &info);
        probe_check(error == 0 && came == signo, "%d came for %d, error %d", came, signo, error);
        probe_check(signo % 2 || (info.si_signo == signo && info.si_code == SI_USER), "code %d",
                    info.si_code);
    }
    errno = 0;
    probe_check(sigtimedwait(&real_time, &info, &none) == -1 && errno == EAGAIN, "%d more: %d",
                errno, info.si_signo);
}

static void *send_each(void *nothing)
{
    for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
        union sigval value = {.sival_int = signo * 3};
        usleep(2000);
        sigqueue(getpid(), signo, value);
    }
    return nothing;
}

/* Sent to the process, by a thread that blocks them too, while another waits. */
static void waits_for_another(void)
{
    const struct timespec limit = {5, 0};
    pthread_t sender;

    pthread_create(&sender, NULL, send_each, NULL);
    for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
        siginfo_t info = {0};
        int came = sigtimedwait(&real_time, &info, &limit);
        probe_check(came == signo && info.si_value.sival_int == signo * 3 &&
                        info.si_pid == getpid(),
                    "%d came for %d, value %d", came, signo, info.si_value.sival_int);
    }
    pthread_join(sender, NULL);
}

static void reads(void)
{
    int fd = signalfd(-1, &real_time, SFD_NONBLOCK);

    for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
        struct signalfd_siginfo info = {0};
        kill(getpid(), signo);
        probe_check(read(fd, &info, sizeof info) == (ssize_t)sizeof info, "signal %d: %d", signo,
                    errno);
        probe_check((int)info.ssi_signo == signo && info.ssi_code == SI_USER, "%u read for %d",
                    info.ssi_signo, signo);
    }
    close(fd);
}

/* Handlers run when their signal is let through, not before. */
static void handles(void)
{
    struct sigaction action = {.sa_handler = handle};
    const struct timespec limit = {5, 0};
    sigset_t none;

    sigemptyset(&none);
    for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++) {
        sigaction(signo, &action, NULL);
        for (int way = 0; way < 3; way++) {
            handled = last = 0;
            raise(signo);
            probe_check(handled == 0, "signal %d handled while blocked", signo);
            errno = 0;
            if (way == 0)
                sigsuspend(&none);
            else if (way == 1)
                ppoll(NULL, 0, &limit, &none);
            else
                pthread_sigmask(SIG_SETMASK, &none, NULL);
            probe_check(handled == 1 && last == signo, "signal %d handled %d times in way %d",
                        signo, (int)handled, way);
            probe_check(way == 2 || errno == EINTR, "way %d: error %d", way, errno);
            pthread_sigmask(SIG_SETMASK, &real_time, NULL);
        }
    }
}

int main(void)
{
    probe_watchdog(60);
    sigemptyset(&real_time);
    for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
        sigaddset(&real_time, signo);
    pthread_sigmask(SIG_BLOCK, &real_time, &before);
    waits();
    waits_for_another();
    reads();
    handles();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    unblocked_burn();
    uint64_t seen = probe_value(LEDGER_KIND_CPU, "unblocked_burn", false) / MS;
    probe_check(seen > 230 && seen < 370, "%lu of 300 ms after all", seen);
    printf("%lu ms seen\n", seen);
    return 0;
}
