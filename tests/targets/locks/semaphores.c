/* Semaphores, and signals that come while they are waited for. */
#include "locks.h"

#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

static void caught(int signo)
{
}

static atomic_int interrupted;

/* Again and again: on a busy machine the first may come before the wait. */
static void *kill_later(void *thread)
{
    do {
        usleep(30000);
        released = 1;
        pthread_kill(*(pthread_t *)thread, SIGUSR1);
    } while (!interrupted);
    return NULL;
}

static void *post_later(void *semaphore)
{
    usleep(30000);
    released = 1;
    sem_post(semaphore);
    return NULL;
}

void semaphores(void)
{
    sem_t semaphore;
    pthread_t thread, self = pthread_self();
    context = "semaphore";
    sem_init(&semaphore, 0, 3);
    struct timespec soon = from_now(CLOCK_REALTIME, 20 * MS);
    SHOW(sem_timedwait(&semaphore, &invalid));
    SHOW(sem_timedwait(&semaphore, &negative));
    SHOW(sem_clockwait(&semaphore, BAD_CLOCK, &past));
    SHOW(sem_wait(&semaphore));
    SHOW(sem_timedwait(&semaphore, &past));
    SHOW(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &past));
    SHOW(sem_trywait(&semaphore));
    SHOW_UNTIL(sem_timedwait(&semaphore, &soon), CLOCK_REALTIME, soon);
    SHOW(sem_timedwait(&semaphore, &past));
    SHOW(sem_timedwait(&semaphore, &invalid));
    SHOW(sem_clockwait(&semaphore, BAD_CLOCK, &soon));
    for (int restart = 0; restart < 2; restart++) {
        struct sigaction action = {.sa_handler = caught, .sa_flags = restart ? SA_RESTART : 0};
        context = restart ? "semaphore, SA_RESTART" : "semaphore, signal";
        sigaction(SIGUSR1, &action, NULL);
        struct timespec late = from_now(CLOCK_REALTIME, 900 * MS);
        released = interrupted = 0;
        pthread_create(&thread, NULL, kill_later, &self);
        SHOW_AFTER(sem_timedwait(&semaphore, &late), released);
        interrupted = 1;
        pthread_join(thread, NULL);
        if (!restart) {
            released = interrupted = 0;
            pthread_create(&thread, NULL, kill_later, &self);
            SHOW_AFTER(sem_wait(&semaphore), released);
            interrupted = 1;
            pthread_join(thread, NULL);
        }
    }
    context = "semaphore, posted";
    released = 0;
    pthread_create(&thread, NULL, post_later, &semaphore);
    SHOW_AFTER(sem_wait(&semaphore), released);
    pthread_join(thread, NULL);
}
