/* Locks in memory that two processes share. */
#include "locks.h"

#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;
    pthread_barrier_t barrier;
    sem_t semaphore, go;
    atomic_int released, waits;
    int turn;
};

static struct shared *shared;

static void init(void)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t cond;
    pthread_rwlockattr_t rwlock;
    pthread_barrierattr_t barrier;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        abort();
    pthread_mutexattr_init(&mutex);
    SHOW(pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED));
    SHOW(pthread_mutex_init(&shared->mutex, &mutex));
    pthread_condattr_init(&cond);
    SHOW(pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED));
    SHOW(pthread_cond_init(&shared->cond, &cond));
    pthread_rwlockattr_init(&rwlock);
    SHOW(pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED));
    SHOW(pthread_rwlock_init(&shared->rwlock, &rwlock));
    pthread_barrierattr_init(&barrier);
    SHOW(pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED));
    SHOW(pthread_barrier_init(&shared->barrier, &barrier, 2));
    SHOW(sem_init(&shared->semaphore, 1, 0));
    SHOW(sem_init(&shared->go, 1, 0));
}

/* Holds each lock for a while, and answers the parent's turns. */
static void child(void)
{
    pthread_mutex_lock(&shared->mutex);
    pthread_rwlock_wrlock(&shared->rwlock);
    sem_post(&shared->go);
    usleep(100000);
    shared->released = 1;
    pthread_mutex_unlock(&shared->mutex);
    usleep(40000);
    shared->released = 2;
    pthread_rwlock_unlock(&shared->rwlock);
    usleep(40000);
    shared->released = 3;
    sem_post(&shared->semaphore);
    pthread_mutex_lock(&shared->mutex);
    for (int n = 0; n < 100; n++) {
        while (shared->turn % 2 == 0)
            pthread_cond_wait(&shared->cond, &shared->mutex);
        shared->turn++;
        pthread_cond_signal(&shared->cond);
    }
    pthread_mutex_unlock(&shared->mutex);
    int result = pthread_barrier_wait(&shared->barrier);
    _exit(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD ? 5 : 6);
}

void processes(void)
{
    context = "shared between processes";
    init();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        child();
    SHOW(sem_wait(&shared->go));
    SHOW(pthread_mutex_trylock(&shared->mutex));
    SHOW_EARLY(pthread_mutex_lock(&shared->mutex), shared->released < 1);
    SHOW(pthread_mutex_unlock(&shared->mutex));
    SHOW_EARLY(pthread_rwlock_rdlock(&shared->rwlock), shared->released < 2);
    SHOW(pthread_rwlock_unlock(&shared->rwlock));
    SHOW_EARLY(sem_wait(&shared->semaphore), shared->released < 3);
    pthread_mutex_lock(&shared->mutex);
    for (int n = 0; n < 100; n++) {
        while (shared->turn % 2 == 1)
            pthread_cond_wait(&shared->cond, &shared->mutex);
        shared->turn++;
        pthread_cond_signal(&shared->cond);
    }
    pthread_mutex_unlock(&shared->mutex);
    int result = pthread_barrier_wait(&shared->barrier);
    SHOW(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
    int status = 0;
    waitpid(pid, &status, 0);
    SHOW(WEXITSTATUS(status));
    SHOW(shared->turn);
    SHOW(pthread_mutex_destroy(&shared->mutex));
}
