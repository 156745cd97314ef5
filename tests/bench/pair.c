/*
 * malloc+free pairs at a given stack depth, in a number of threads:
 * pair [pairs] [depth] [threads] [live]. Prints ns a pair (CPU time). `live` blocks
 * stay allocated meanwhile, freed in the order they were made.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long pairs = 10000000, depth = 12, threads = 1, live = 1;

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static __attribute__((noinline)) double loop(void)
{
    void **ring = calloc((size_t)live, sizeof *ring);
    if (!ring)
        abort();
    double start = cpu_seconds();
    for (long n = 0; n < pairs; n++) {
        void **slot = &ring[n % live];
        free(*slot);
        *slot = malloc(16 + (size_t)(n & 7) * 16);
        __asm__ volatile("" : : "r"(*slot) : "memory");
    }
    double end = cpu_seconds();
    for (long n = 0; n < live; n++)
        free(ring[n]);
    free(ring);
    return end - start;
}

static __attribute__((noinline)) double descend(long levels)
{
    double used = levels > 0 ? descend(levels - 1) : loop();
    __asm__ volatile("" ::: "memory"); /* no tail call */
    return used;
}

static void *thread(void *arg)
{
    *(double *)arg = descend(depth - 4);
    return NULL;
}

int main(int argc, char **argv)
{
    long *settings[] = {&pairs, &depth, &threads, &live};
    for (int i = 1; i < argc && i <= 4; i++)
        *settings[i - 1] = atol(argv[i]);
    pthread_t ids[64];
    double used[64], sum = 0;
    if (threads < 1 || threads > 64 || live < 1)
        return 2;
    for (long i = 1; i < threads; i++)
        pthread_create(&ids[i], NULL, thread, &used[i]);
    thread(&used[0]);
    for (long i = 1; i < threads; i++)
        pthread_join(ids[i], NULL);
    for (long i = 0; i < threads; i++)
        sum += used[i];
    printf("%.1f ns a pair\n", sum / (double)(pairs * threads) * 1e9);
    return 0;
}
