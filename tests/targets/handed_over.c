/* Two threads that hand a mutex over, and say when by the clock: "unlock NS" before each unlock,
 * "wait NS NS" for each wait of more than a millisecond. Argument: how many rounds, 0 = for ever.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long rounds;

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void nap(long ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

static void *holds(void *unused)
{
    for (long n = 0; !rounds || n < rounds; n++) {
        pthread_mutex_lock(&mutex);
        nap(20);
        printf("unlock %lld\n", now());
        fflush(stdout);
        pthread_mutex_unlock(&mutex);
        nap(20);
    }
    return NULL;
}

static void *waits(void *unused)
{
    for (long n = 0; !rounds || n < rounds; n++) {
        nap(8);
        long long begin = now();
        pthread_mutex_lock(&mutex);
        long long end = now();
        pthread_mutex_unlock(&mutex);
        if (end - begin > 1000000)
            printf("wait %lld %lld\n", begin, end);
        nap(24);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t holder, waiter;
    rounds = argc > 1 ? atol(argv[1]) : 20;
    puts("ready");
    fflush(stdout);
    nap(600); /* for somebody to ask for a trace */
    pthread_create(&holder, NULL, holds, NULL);
    pthread_setname_np(holder, "holder");
    pthread_create(&waiter, NULL, waits, NULL);
    pthread_setname_np(waiter, "waiter");
    long long end = now() + 300000000;
    for (volatile long n = 0; now() < end; n++)
        ;
    pthread_join(holder, NULL);
    pthread_join(waiter, NULL);
    return 0;
}
