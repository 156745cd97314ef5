/*
 * Threads that block every signal are sampled and answer for their stacks
 * (hazard 15), while the program finds its masks as it set them. And a program
 * with its own SIGPROF timer and SIGUSR2 handler loses nothing (hazard 24).
 */
#include "probe.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

static atomic_uint profs, users;
static atomic_bool sleeps;

/* Functions that the profile must show. */
__attribute__((noipa)) void masked_burn(void)
{
    probe_burn(400 * MS);
    __asm__ volatile("");
}

__attribute__((noipa)) void masked_sleep(void)
{
    struct timespec time = {1, 500000000};
    sleeps = true;
    probe_check(nanosleep(&time, NULL) == 0, "%d", errno);
    __asm__ volatile("");
}

static void expect_mask(const sigset_t *expected, const char *when)
{
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    for (int signo = 1; signo <= SIGRTMAX; signo++)
        probe_check(sigismember(&now, signo) == sigismember(expected, signo), "signal %d %s", signo,
                    when);
}

static void *masked(void *inherited)
{
    sigset_t all, none, before;
    sigfillset(&all);
    sigemptyset(&none);
    expect_mask(inherited, "in a new thread");
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    expect_mask(&none, "after clearing");
    pthread_sigmask(SIG_BLOCK, &all, &before);
    probe_check(memcmp(&before, &none, 8) == 0, "old mask");
    sigdelset(&all, SIGKILL); /* the kernel's own exceptions */
    sigdelset(&all, SIGSTOP);
    expect_mask(&all, "after blocking all");
    masked_burn();
    masked_sleep();
    expect_mask(&all, "after a dump");
    return NULL;
}

static void count_prof(int signo)
{
    (void)signo;
    profs++;
}

static void count_user(int signo)
{
    (void)signo;
    users++;
}

int main(void)
{
    sigset_t all, before;
    pthread_t thread;
    struct sigaction action = {.sa_handler = count_prof, .sa_flags = SA_RESTART};
    struct itimerval timer = {{0, 10000}, {0, 10000}};
    probe_watchdog(60);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    pthread_create(&thread, NULL, masked, &all);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    sigaction(SIGPROF, &action, NULL);
    action.sa_handler = count_user;
    sigaction(SIGUSR2, &action, NULL);
    while (!sleeps)
        usleep(50000);
    usleep(50000);
    setitimer(ITIMER_PROF, &timer, NULL);
    for (unsigned n = 0; n < 5; n++)
        raise(SIGUSR2);
    kill(getpid(), SIGRTMIN + 9); /* LIBPROF_SIGNAL */
    probe_burn(300 * MS);
    pthread_join(thread, NULL);

    uint64_t seen = probe_value(LEDGER_KIND_CPU, "masked_burn", false) / MS;
    probe_check(seen > 320 && seen < 480, "%lu of 400 ms of the masked thread", seen);
    probe_check(users == 5, "%u of 5 SIGUSR2", users);
    probe_check(profs >= 20, "%u SIGPROF", profs);

    const struct ledger_view *view = probe_open();
    bool slept = false;
    for (uint32_t n = 1; n < ledger_view_threads(view); n++) {
        struct ledger_thread_view entry;
        slept |= ledger_view_thread(view, n, &entry) && entry.walk_stack &&
                 probe_stack_has(entry.walk_stack, "masked_sleep");
    }
    probe_check(slept, "the masked thread didn't answer for its stack");
    printf("%lu ms seen, %u SIGPROF\n", seen, profs);
    return 0;
}
