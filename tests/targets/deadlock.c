/* A deadlock to look at: three threads that each hold a mutex and want the next
 * one's, a reader that waits for a writer of the same thread, and main, which waits
 * for all of them. Each is in functions of its own. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define KEPT __attribute__((noipa))

static pthread_mutex_t forks[3] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                   PTHREAD_MUTEX_INITIALIZER};
static pthread_rwlock_t book = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t all_hold_one;

KEPT void take_second(unsigned n)
{
    pthread_mutex_lock(&forks[(n + 1) % 3]);
    pthread_mutex_unlock(&forks[(n + 1) % 3]);
}

KEPT void take_first(unsigned n)
{
    pthread_mutex_lock(&forks[n]);
    pthread_barrier_wait(&all_hold_one);
    take_second(n);
    pthread_mutex_unlock(&forks[n]);
}

KEPT void *dine(void *number)
{
    take_first((unsigned)(size_t)number);
    return NULL;
}

KEPT void *read_what_is_written(void *unused)
{
    pthread_rwlock_rdlock(&book);
    return unused;
}

int main(void)
{
    pthread_t threads[4];

    pthread_rwlock_wrlock(&book);
    pthread_barrier_init(&all_hold_one, NULL, 3);
    for (size_t n = 0; n < 3; n++)
        pthread_create(&threads[n], NULL, dine, (void *)n);
    pthread_create(&threads[3], NULL, read_what_is_written, NULL);
    usleep(300000);
    puts("ready");
    fflush(stdout);
    for (size_t n = 0; n < 4; n++)
        pthread_join(threads[n], NULL);
    return 0;
}
