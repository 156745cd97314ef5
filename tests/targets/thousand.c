/* A thousand threads, each waiting at a depth of its own (1 to 20 calls of descend) in
 * one of four ways. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#define KEPT __attribute__((noipa))
#define THREADS 1000u

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static _Atomic unsigned started;

KEPT void wait_in_poll(void)
{
    poll(NULL, 0, -1);
}

KEPT void wait_in_condition(void)
{
    pthread_mutex_lock(&mutex);
    for (;;)
        pthread_cond_wait(&never, &mutex);
}

KEPT void wait_in_semaphore(void)
{
    sem_wait(&semaphore);
}

KEPT void wait_in_pause(void)
{
    pause();
}

KEPT unsigned descend(unsigned depth, unsigned way)
{
    static void (*const ways[])(void) = {wait_in_poll, wait_in_condition, wait_in_semaphore,
                                         wait_in_pause};
    if (depth > 0)
        return descend(depth - 1, way) + 1;
    started++;
    ways[way]();
    return 1;
}

KEPT void *wait_somewhere(void *number)
{
    unsigned n = (unsigned)(size_t)number;
    descend(n % 20, n / 20 % 4);
    return NULL;
}

int main(void)
{
    pthread_attr_t small;
    pthread_t thread;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (size_t n = 0; n < THREADS; n++)
        if (pthread_create(&thread, &small, wait_somewhere, (void *)n))
            return 1;
    while (started < THREADS)
        usleep(10000);
    usleep(300000);
    puts("ready");
    fflush(stdout);
    pthread_join(thread, NULL);
    return 0;
}
