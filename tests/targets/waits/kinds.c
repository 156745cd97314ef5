/* Each kind of lock: waits for it, in functions of its own names, and uses without a wait. */
#include "waits.h"

#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <threads.h>

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static mtx_t c11_mutex;
static pthread_t sleeper;

/* The kinds: who makes others wait, and who waits. */
static APART void rwlock_hold(void)
{
    pthread_rwlock_rdlock(&rwlock);
    held = 1;
    rest(1);
    pthread_rwlock_unlock(&rwlock);
    __asm__ volatile("");
}

static APART void rwlock_wait(void)
{
    WAIT(pthread_rwlock_wrlock(&rwlock));
    pthread_rwlock_unlock(&rwlock);
}

static APART void spin_hold(void)
{
    pthread_spin_lock(&spin);
    held = 1;
    rest(1);
    pthread_spin_unlock(&spin);
    __asm__ volatile("");
}

static APART void spin_wait(void)
{
    WAIT(pthread_spin_lock(&spin));
    pthread_spin_unlock(&spin);
}

static APART void cond_hold(void)
{
    held = 1;
    rest(1);
    pthread_mutex_lock(&mutex);
    signalled = 1;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
}

static APART void cond_wait(void)
{
    pthread_mutex_lock(&mutex);
    while (!signalled)
        WAIT(pthread_cond_wait(&cond, &mutex));
    pthread_mutex_unlock(&mutex);
}

static APART void sem_hold(void)
{
    held = 1;
    rest(1);
    sem_post(&semaphore);
}

static APART void sem_waiter(void)
{
    WAIT(sem_wait(&semaphore));
}

static APART void barrier_hold(void)
{
    held = 1;
    rest(1);
    pthread_barrier_wait(&barrier);
    __asm__ volatile("");
}

static APART void barrier_waiter(void)
{
    WAIT(pthread_barrier_wait(&barrier));
}

static APART void join_hold(void)
{
    held = 1;
    rest(1);
}

static APART void join_waiter(void)
{
    WAIT(pthread_join(sleeper, NULL));
}

static APART void c11_hold(void)
{
    mtx_lock(&c11_mutex);
    held = 1;
    rest(1);
    mtx_unlock(&c11_mutex);
    __asm__ volatile("");
}

static APART void c11_wait(void)
{
    WAIT(mtx_lock(&c11_mutex));
    mtx_unlock(&c11_mutex);
}

static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static APART void inner_unlock(void)
{
    pthread_mutex_unlock(&recursive);
    __asm__ volatile("");
}

static APART void recursive_hold(void)
{
    pthread_mutex_lock(&recursive);
    pthread_mutex_lock(&recursive);
    held = 1;
    rest(1);
    inner_unlock();
    pthread_mutex_unlock(&recursive);
    __asm__ volatile("");
}

static APART void recursive_wait(void)
{
    WAIT(pthread_mutex_lock(&recursive));
    pthread_mutex_unlock(&recursive);
}

static const struct {
    const char *name;
    void (*hold)(void), (*wait)(void);
} kinds[] = {
    {"rwlock", rwlock_hold, rwlock_wait},
    {"spin", spin_hold, spin_wait},
    {"cond", cond_hold, cond_wait},
    {"sem", sem_hold, sem_waiter},
    {"barrier", barrier_hold, barrier_waiter},
    {"join", join_hold, join_waiter},
    {"c11", c11_hold, c11_wait},
    {"recursive", recursive_hold, recursive_wait},
};

static void *run(void *hold)
{
    (*(void (**)(void))hold)();
    return NULL;
}

int one_kind(const char *name)
{
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        if (strcmp(kinds[n].name, name) != 0)
            continue;
        pthread_spin_init(&spin, 0);
        sem_init(&semaphore, 0, 0);
        mtx_init(&c11_mutex, mtx_plain);
        pthread_barrier_init(&barrier, NULL, 2);
        pthread_create(&sleeper, NULL, run, (void *)&kinds[n].hold);
        while (!held)
            sched_yield();
        kinds[n].wait();
        if (kinds[n].wait != join_waiter)
            pthread_join(sleeper, NULL);
        return 0;
    }
    return 2;
}

void use_freely(void)
{
    sem_init(&semaphore, 0, 1);
    mtx_init(&c11_mutex, mtx_plain);
    pthread_spin_init(&spin, 0);
    for (long n = 0; n < rounds; n++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
        pthread_rwlock_rdlock(&rwlock);
        pthread_rwlock_rdlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
        pthread_rwlock_wrlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
        pthread_spin_lock(&spin);
        pthread_spin_unlock(&spin);
        sem_wait(&semaphore);
        sem_post(&semaphore);
        mtx_lock(&c11_mutex);
        mtx_unlock(&c11_mutex);
        pthread_mutex_lock(&recursive);
        pthread_mutex_lock(&recursive);
        pthread_mutex_unlock(&recursive);
        pthread_mutex_unlock(&recursive);
    }
}
