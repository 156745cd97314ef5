/* Waits that are cancelled. */
#include "locks.h"

#include <semaphore.h>
#include <unistd.h>

static sem_t cancel_semaphore;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t free_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t cancel_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_t sleeper;

static void *sleep_long(void *unused)
{
    sleep(60);
    return unused;
}

static void unlock_it(void *mutex)
{
    printf("%s: cleanup, unlock = %s\n", context, name_of(pthread_mutex_unlock(mutex)));
}

static void *wait_condition(void *unused)
{
    pthread_mutex_lock(&cancel_mutex);
    pthread_cleanup_push(unlock_it, &cancel_mutex);
    for (;;)
        pthread_cond_wait(&cond, &cancel_mutex);
    pthread_cleanup_pop(1);
    return unused;
}

static void *wait_condition_timed(void *unused)
{
    pthread_mutex_lock(&cancel_mutex);
    pthread_cleanup_push(unlock_it, &cancel_mutex);
    struct timespec late = from_now(CLOCK_REALTIME, 900 * MS);
    for (;;)
        pthread_cond_timedwait(&cond, &cancel_mutex, &late);
    pthread_cleanup_pop(1);
    return unused;
}

static void *wait_semaphore(void *unused)
{
    sem_wait(&cancel_semaphore);
    return unused;
}

static void *wait_thread(void *unused)
{
    pthread_join(sleeper, NULL);
    return unused;
}

/* The semaphore is free, but the request is there already. */
static void *take_semaphore(void *unused)
{
    sem_t one;
    sem_init(&one, 0, 1);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    usleep(50000);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    sem_wait(&one);
    puts("a free semaphore is no cancellation point");
    return unused;
}

/* A mutex is no cancellation point, free or not. */
static void *lock_mutex(void *unused)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    usleep(50000);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_mutex_lock(&free_mutex);
    pthread_mutex_unlock(&free_mutex);
    puts("a mutex is no cancellation point");
    fflush(stdout);
    pthread_testcancel();
    return unused;
}

void cancellation(void)
{
    static const struct {
        const char *name;
        void *(*run)(void *);
    } kinds[] = {
        {"cancel condition", wait_condition}, {"cancel timed condition", wait_condition_timed},
        {"cancel semaphore", wait_semaphore}, {"cancel free semaphore", take_semaphore},
        {"cancel join", wait_thread},         {"cancel mutex", lock_mutex},
    };
    sem_init(&cancel_semaphore, 0, 0);
    pthread_create(&sleeper, NULL, sleep_long, NULL);
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        pthread_t thread;
        void *value = NULL;
        context = kinds[n].name;
        pthread_create(&thread, NULL, kinds[n].run, NULL);
        usleep(20000);
        pthread_cancel(thread);
        SHOW(pthread_join(thread, &value));
        printf("%s: %s\n", context, value == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
        SHOW(pthread_mutex_lock(&cancel_mutex));
        SHOW(pthread_mutex_unlock(&cancel_mutex));
    }
    pthread_cancel(sleeper);
    SHOW(pthread_join(sleeper, NULL));
}
