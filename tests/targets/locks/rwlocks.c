/* Reader-writer locks. */
#include "locks.h"

#include <unistd.h>

static void *hold_write(void *lock)
{
    pthread_rwlock_wrlock(lock);
    holding = 1;
    usleep(100000);
    released = 1;
    pthread_rwlock_unlock(lock);
    return NULL;
}

static void *hold_read(void *lock)
{
    pthread_rwlock_rdlock(lock);
    holding = 1;
    usleep(100000);
    released = 1;
    pthread_rwlock_unlock(lock);
    return NULL;
}

static void rwlock_held(pthread_rwlock_t *lock, void *(*holder)(void *))
{
    pthread_t thread;
    released = holding = 0;
    pthread_create(&thread, NULL, holder, lock);
    while (!holding)
        usleep(1000);
    struct timespec soon = from_now(CLOCK_REALTIME, 15 * MS);
    struct timespec soon_mono = from_now(CLOCK_MONOTONIC, 30 * MS);
    SHOW(pthread_rwlock_trywrlock(lock));
    SHOW_UNTIL(pthread_rwlock_timedwrlock(lock, &soon), CLOCK_REALTIME, soon);
    SHOW_UNTIL(pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &soon_mono), CLOCK_MONOTONIC,
               soon_mono);
    SHOW(pthread_rwlock_timedwrlock(lock, &past));
    SHOW(pthread_rwlock_timedwrlock(lock, &invalid));
    SHOW(pthread_rwlock_clockwrlock(lock, BAD_CLOCK, &past));
    if (holder == hold_write) {
        SHOW(pthread_rwlock_timedrdlock(lock, &past));
        SHOW(pthread_rwlock_timedrdlock(lock, &negative));
        SHOW(pthread_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, &past));
        SHOW_AFTER(pthread_rwlock_rdlock(lock), released);
    } else {
        SHOW_AFTER(pthread_rwlock_wrlock(lock), released);
    }
    SHOW(pthread_rwlock_unlock(lock));
    pthread_join(thread, NULL);
}

void rwlocks(void)
{
    static const int kinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                                PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
    for (int n = 0; n < 3; n++) {
        pthread_rwlockattr_t attr;
        pthread_rwlock_t lock;
        char name[32];
        snprintf(name, sizeof name, "rwlock kind %d", kinds[n]);
        context = name;
        pthread_rwlockattr_init(&attr);
        pthread_rwlockattr_setkind_np(&attr, kinds[n]);
        pthread_rwlock_init(&lock, &attr);
        SHOW(pthread_rwlock_wrlock(&lock));
        SHOW(pthread_rwlock_wrlock(&lock));
        SHOW(pthread_rwlock_rdlock(&lock));
        SHOW(pthread_rwlock_tryrdlock(&lock));
        SHOW(pthread_rwlock_timedrdlock(&lock, &past));
        SHOW(pthread_rwlock_timedwrlock(&lock, &past));
        SHOW(pthread_rwlock_unlock(&lock));
        SHOW(pthread_rwlock_rdlock(&lock));
        SHOW(pthread_rwlock_rdlock(&lock));
        SHOW(pthread_rwlock_timedwrlock(&lock, &past));
        SHOW(pthread_rwlock_unlock(&lock));
        SHOW(pthread_rwlock_unlock(&lock));
        SHOW(pthread_rwlock_timedrdlock(&lock, &invalid));
        SHOW(pthread_rwlock_timedwrlock(&lock, &negative));
        SHOW(pthread_rwlock_clockrdlock(&lock, BAD_CLOCK, &past));
        SHOW(pthread_rwlock_clockwrlock(&lock, BAD_CLOCK, &past));
        SHOW(pthread_rwlock_timedwrlock(&lock, &past));
        SHOW(pthread_rwlock_unlock(&lock));
        rwlock_held(&lock, hold_write);
        rwlock_held(&lock, hold_read);
        pthread_rwlock_destroy(&lock);
    }
}
