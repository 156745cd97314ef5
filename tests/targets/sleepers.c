/* A main thread and three named ones, each waiting in a function of its own. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#define KEPT __attribute__((noipa))

static sem_t semaphore;

KEPT void *wait_in_poll(void *unused)
{
    pthread_setname_np(pthread_self(), "poller");
    poll(NULL, 0, -1);
    return unused;
}

KEPT void *wait_in_sleep(void *unused)
{
    pthread_setname_np(pthread_self(), "sleeper");
    sleep(1000);
    return unused;
}

KEPT void *wait_in_semaphore(void *unused)
{
    pthread_setname_np(pthread_self(), "waiter");
    sem_wait(&semaphore);
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, wait_in_poll, NULL);
    pthread_create(&thread, NULL, wait_in_sleep, NULL);
    pthread_create(&thread, NULL, wait_in_semaphore, NULL);
    usleep(200000);
    puts("ready");
    fflush(stdout);
    pthread_join(thread, NULL);
    return 0;
}
