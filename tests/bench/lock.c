/*
 * What a lock costs that nobody else wants: ns for each lock and unlock.
 *
 *   lock pair N           a mutex
 *   lock rwlock N         a reader-writer lock, held to read
 *
 * In a process that has had a second thread, so that the C library locks in earnest. Fights for a
 * lock: storm.c.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static double seconds(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void *nothing(void *unused)
{
    return unused;
}

int main(int argc, char **argv)
{
    const char *mode = argc == 3 ? argv[1] : "";
    long count = argc == 3 ? atol(argv[2]) : 0;
    if (count <= 0) {
        fprintf(stderr, "usage: lock pair|rwlock N\n");
        return 2;
    }
    pthread_t id;
    pthread_create(&id, NULL, nothing, NULL);
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (strcmp(mode, "rwlock") == 0) {
        for (long n = 0; n < count; n++) {
            pthread_rwlock_rdlock(&rwlock);
            pthread_rwlock_unlock(&rwlock);
        }
    } else {
        for (long n = 0; n < count; n++) {
            pthread_mutex_lock(&mutex);
            pthread_mutex_unlock(&mutex);
        }
    }
    printf("%.2f ns wall, %.2f ns CPU a pair\n",
           (seconds(CLOCK_MONOTONIC) - wall) / (double)count * 1e9,
           (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)count * 1e9);
    pthread_join(id, NULL);
    return 0;
}
