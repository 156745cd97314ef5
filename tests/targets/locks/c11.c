/* C11's mutexes, conditions and threads; spin locks. */
#include "locks.h"

#include <threads.h>
#include <unistd.h>

static int hold_mtx(void *mutex)
{
    mtx_lock(mutex);
    holding = 1;
    usleep(100000);
    released = 1;
    mtx_unlock(mutex);
    return 42;
}

void c11(void)
{
    static const int types[] = {mtx_plain | mtx_timed, mtx_recursive | mtx_timed};
    pthread_spinlock_t spin;
    for (int n = 0; n < 2; n++) {
        mtx_t mutex;
        thrd_t thread;
        cnd_t c11_cond;
        int value = 0;
        context = n ? "C11 recursive" : "C11 plain";
        mtx_init(&mutex, types[n]);
        cnd_init(&c11_cond);
        struct timespec soon = from_now(CLOCK_REALTIME, 15 * MS);
        SHOW(mtx_lock(&mutex));
        SHOW(mtx_trylock(&mutex));
        SHOW(mtx_timedlock(&mutex, &soon));
        for (int times = 0; times < (n ? 3 : 1); times++)
            SHOW(mtx_unlock(&mutex));
        released = holding = 0;
        thrd_create(&thread, hold_mtx, &mutex);
        while (!holding)
            usleep(1000);
        SHOW(mtx_timedlock(&mutex, &past));
        SHOW(mtx_timedlock(&mutex, &invalid));
        SHOW_AFTER(mtx_lock(&mutex), released);
        soon = from_now(CLOCK_REALTIME, 15 * MS);
        SHOW_UNTIL(cnd_timedwait(&c11_cond, &mutex, &soon), CLOCK_REALTIME, soon);
        SHOW(mtx_unlock(&mutex));
        SHOW(thrd_join(thread, &value));
        printf("value %d\n", value);
    }
    context = "spin";
    pthread_spin_init(&spin, 0);
    SHOW(pthread_spin_lock(&spin));
    SHOW(pthread_spin_trylock(&spin));
    SHOW(pthread_spin_unlock(&spin));
}
