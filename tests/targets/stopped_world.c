/*
 * A program that stops its threads by one signal and lets them go by SIGUSR2, as language run-time
 * systems do: each stopped thread waits in a handler, by sigsuspend, for a signal of which none
 * can be lost. libprof's dump signal of that number must not be seen, nor may the program's be
 * taken for it. Arguments: rounds, and a signal to ask itself for dumps by meanwhile (0: none).
 */
#include "probe.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS 3

static sem_t stopped, released;
static atomic_bool over;
static sigset_t all_but_release;

static void on_stop(int signo)
{
    sem_post(&stopped);
    sigsuspend(&all_but_release);
    sem_post(&released);
    (void)signo;
}

static void on_release(int signo)
{
    (void)signo;
}

static void *work(void *unused)
{
    while (!over)
        usleep(200);
    return unused;
}

static bool wait_for_all(sem_t *semaphore)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    for (int n = 0; n < THREADS; n++)
        if (sem_timedwait(semaphore, &until) != 0)
            return false;
    return true;
}

/* A wait that one signal of its own ends, sent with a value, and no other. */
static void check_queued(void)
{
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int n = 1; n <= 3; n++) {
        sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = n});
        probe_check(sigwaitinfo(&set, &info) == SIGUSR2 && info.si_value.sival_int == n, "%d", n);
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 200, ask = argc > 2 ? atoi(argv[2]) : 0;
    struct sigaction action = {.sa_flags = SA_RESTART};
    pthread_t threads[THREADS];
    probe_watchdog(60);
    sigfillset(&action.sa_mask);
    action.sa_handler = on_stop;
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = on_release;
    sigaction(SIGUSR2, &action, NULL);
    sigfillset(&all_but_release);
    sigdelset(&all_but_release, SIGUSR2);
    sem_init(&stopped, 0, 0);
    sem_init(&released, 0, 0);
    for (int n = 0; n < THREADS; n++)
        pthread_create(&threads[n], NULL, work, NULL);
    probe_burn(50000000);
    for (int round = 0; round < rounds; round++) {
        if (ask && round % 10 == 0)
            kill(getpid(), SIGRTMIN + ask);
        for (int n = 0; n < THREADS; n++)
            pthread_kill(threads[n], SIGUSR1);
        probe_check(wait_for_all(&stopped), "round %d", round);
        for (int n = 0; n < THREADS; n++)
            pthread_kill(threads[n], SIGUSR2);
        probe_check(wait_for_all(&released), "round %d: sigsuspend didn't return", round);
    }
    over = true;
    for (int n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    check_queued();
    uint32_t dumps = atomic_load(&probe_open()->header->sequence);
    probe_check(ask ? dumps > 0 : dumps == 0, "%u dumps", dumps);
    return 0;
}
